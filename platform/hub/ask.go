package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// trail is what the hub's own answers on the way to a file's bytes tell of it; redirects tell most.
type trail struct {
	host   string // what others tell of the contents is none of the hub's words
	commit string
	size   int64 // -1 where it is not told
}

func (t *trail) add(r *http.Response) {
	if r.Request == nil || r.Request.URL.Host != t.host {
		return
	}
	if c := r.Header.Get("X-Repo-Commit"); c != "" {
		t.commit = c
	}
	if n, err := strconv.ParseInt(r.Header.Get("X-Linked-Size"), 10, 64); err == nil {
		t.size = n
	}
}

// ask sends a request to the hub, with the token, and follows redirects, without it where they lead elsewhere.
func (h *Hub) ask(request *http.Request) (*http.Response, *trail, error) {
	request.Header.Set("Accept-Encoding", "identity") // sizes and digests are those of the file
	if h.Token != "" {
		request.Header.Set("Authorization", "Bearer "+h.Token)
	}
	t := &trail{host: request.URL.Host, size: -1}
	client := *h.Client
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		t.add(next.Response)
		return checkRedirect(next, via)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, nil, withoutSignature(err)
	}
	t.add(response)
	if e := response.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		_ = response.Body.Close() // nothing of it is read
		return nil, nil, permanentError{fmt.Errorf("the hub sends it encoded as %q, which was not asked for", e)}
	}
	return response, t, nil
}

// withoutSignature returns a client's error without the query of the address, which may be a signature that
// opens a file to everybody.
func withoutSignature(err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	at, perr := url.Parse(failed.URL)
	if perr != nil {
		return failed.Err
	}
	return fmt.Errorf("%s: %w", withoutQuery(at), failed.Err)
}

// checkRedirect refuses redirects that leave encryption, and keeps the token from other servers.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return permanentError{errors.New("the hub redirects in a circle")}
	}
	first := via[0].URL
	if next.URL.Scheme != "https" && (first.Scheme == "https" || next.URL.Scheme != "http") {
		return permanentError{fmt.Errorf("the hub redirects to %s, which is not encrypted", withoutQuery(next.URL))}
	}
	if first.Scheme != next.URL.Scheme || first.Host != next.URL.Host {
		next.Header.Del("Authorization")
	}
	return nil
}

// withoutQuery is an address without its query, which may hold a signature.
func withoutQuery(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }

// statusError is nil for the answers that bring bytes.
func (h *Hub) statusError(r *http.Response, ref Reference) error {
	switch code := r.StatusCode; {
	case code == http.StatusOK, code == http.StatusPartialContent:
		return nil
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusNotFound:
		return permanentError{h.refusal(r, ref)}
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		return retryLater{fmt.Errorf("the hub answered %d", code), retryAfter(r)}
	case code >= http.StatusInternalServerError, code == http.StatusRequestTimeout, code == http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("the hub answered %d", code)
	default:
		return permanentError{fmt.Errorf("the hub answered %d", code)}
	}
}

// refusal tells why the hub does not give something, and what to do.
func (h *Hub) refusal(r *http.Response, ref Reference) error {
	page := h.Endpoint + "/" + ref.Repository
	switch reason := r.Header.Get("X-Error-Code"); {
	case reason == "GatedRepo" && h.Token == "":
		return fmt.Errorf("the repository is gated: accept its terms at %s, and set HF_TOKEN to a token of that account", page)
	case reason == "GatedRepo":
		return fmt.Errorf("the repository is gated, and the account of HF_TOKEN has no access: accept its terms at %s and wait until that is granted", page)
	case reason == "RevisionNotFound":
		return fmt.Errorf("the repository has no revision %s; see %s/tree/main for those that it has", ref.Revision, page)
	case reason == "EntryNotFound":
		return errors.New("the repository has no such file any more; pull it again")
	case reason == "RepoNotFound", r.StatusCode == http.StatusNotFound:
		return fmt.Errorf("there is no repository %s, or it is private; check its name, and set HF_TOKEN if it is private", ref.Repository)
	case h.Token != "":
		return fmt.Errorf("the hub refuses access (%d): HF_TOKEN is not valid, or its account may not read %s", r.StatusCode, ref.Repository)
	}
	return fmt.Errorf("the hub refuses access (%d): there is no repository %s, or it is private or gated; check its name, or set HF_TOKEN", r.StatusCode, ref.Repository)
}

// retryAfter reads the header's two forms, seconds and a date.
func retryAfter(r *http.Response) time.Duration {
	value := r.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(r.Header.Get("Date")) // the hub's clock, not ours
	if err != nil {
		now = time.Now()
	}
	return max(at.Sub(now), 0)
}
