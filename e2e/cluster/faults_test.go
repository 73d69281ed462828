//go:build e2e

package cluster

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is a way to a server that a test can break below HTTP.
type link struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
}

// through opens a way to a server, on an address of this machine.
func through(t *testing.T, host, server string) *link {
	t.Helper()
	logger := zerolog.Nop()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), logger)
	l := &link{t, toxiproxy.NewProxy(api, "link", net.JoinHostPort(host, "0"), server)}
	if err := l.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.proxy.Stop)
	return l
}

// address is where the server is reached through the link.
func (l *link) address() string { return l.proxy.Listen }

// disturb adds a fault to what comes back from the server: its kind and attributes as toxiproxy names them.
func (l *link) disturb(kind, attributes string) {
	l.t.Helper()
	l.add("downstream", kind, attributes)
}

// swallow lets nothing through to the server, which the clients don't notice.
func (l *link) swallow() {
	l.t.Helper()
	l.add("upstream", "timeout", `"timeout":0`)
}

func (l *link) add(stream, kind, attributes string) {
	l.t.Helper()
	toxic := fmt.Sprintf(`{"name":%q,"type":%q,"stream":%q,"toxicity":1,"attributes":{%s}}`, stream+" "+kind, kind, stream, attributes)
	if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		l.t.Fatal(err)
	}
}

// heal removes all faults.
func (l *link) heal() { l.proxy.Toxics.ResetToxics(l.t.Context()) }

// meddler passes requests to an S3 server on, and answers some itself or changes what comes back.
type meddler struct {
	url string

	mu     sync.Mutex
	refuse func(*http.Request) (status int, code string) // status 0: it is passed on
	change func(body []byte) []byte                      // of objects that are read; nil: nothing
	asked  map[string]int                                // requests by method
}

// meddle opens a way to an S3 server at the level of HTTP.
func meddle(t *testing.T, host, server string) *meddler {
	t.Helper()
	m := &meddler{asked: map[string]int{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: server})
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: m.changed,
	}
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, code := m.refusal(r); status != 0 {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(status)
			fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>a fault of the test</Message></Error>`, code)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	_ = front.Listener.Close()
	front.Listener = listener
	front.Start()
	t.Cleanup(front.Close)
	m.url = front.URL
	return m
}

func (m *meddler) refusal(r *http.Request) (status int, code string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[r.Method]++
	if m.refuse == nil {
		return 0, ""
	}
	return m.refuse(r)
}

func (m *meddler) changed(answer *http.Response) error {
	m.mu.Lock()
	change := m.change
	m.mu.Unlock()
	if change == nil || answer.Request.Method != http.MethodGet || answer.StatusCode >= 300 || answer.Request.URL.RawQuery != "" {
		return nil
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	answer.Body = io.NopCloser(bytes.NewReader(change(body)))
	return nil
}

// with sets what is refused and changed from now on; nil for nothing.
func (m *meddler) with(refuse func(*http.Request) (int, string), change func([]byte) []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse, m.change = refuse, change
}
