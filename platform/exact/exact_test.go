package exact_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/agent-memory/agent-memory/platform/exact"
	"pgregory.net/rapid"
)

func TestWhatTheStandardLibraryChangesInSilenceIsRefused(t *testing.T) {
	for raw, place := range map[string]string{
		"{\"a\":\"x\xff\"}":             "a",
		"{\"a\":[1,{\"b\":\"\xc3\"}]}":  "a.1.b",
		"{\"a\":\"\xed\xa0\x80\"}":      "a", // a surrogate in UTF-8's manner
		"{\"\xff\":1}":                  "(a key)",
		`{"a":"\ud800"}`:                "a",
		`{"a":"\ud800x"}`:               "a",
		`{"a":"\uDC00\uD800"}`:          "a",
		`{"a":"\\\ud83d"}`:              "a",
		`{"a":"\ud83d\\ude00"}`:         "a",
		`{"a":"\ud800\ud800"}`:          "a",
		`{"\ud800":1}`:                  "(a key)",
		`{"a":1,"b":{"c":1,"c":2}}`:     "b.c",
		`{"a":1,"\u0061":2}`:            "a",
		`[{"a":[{"x":1,"y":2,"x":3}]}]`: "0.a.0.x",
		`{"a":1,"a":1}`:                 "a",
		`{"a":{"b":[` + strings.Repeat(`[],`, 999_997) + `1]}}`:   "a.b.999997",
		`{"a":{"b":[` + strings.Repeat(`[],`, 1_000_000) + `1]}}`: "a.b.999997",
		`{`:     "",
		``:      "",
		`{} {}`: "",
		`{"` + strings.Repeat("k", 1000) + `":"\ud800"}`: strings.Repeat("k", 64) + "…",
	} {
		var wrong *exact.Error
		if err := exact.Check([]byte(raw)); !errors.As(err, &wrong) || wrong.Place != place {
			t.Errorf("%q: %v, want a fault at %q", raw, err, place)
		}
	}
	for _, raw := range []string{
		`{"a":"\ud83d\ude00","b":"\\ud800","c":"\\\\ud800","A":1}`, `"\"\\"`, ` [ { } , [ ] , "" , -1.5e3 , null ] `, `{"a":{"a":{"a":1}}}`,
	} {
		if err := exact.Check([]byte(raw)); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

type inner struct {
	Name *string `json:"name"`
	N    *int64  `json:"n"`
}

type outer struct {
	A    string          `json:"a"`
	F    *float64        `json:"f"`
	B    bool            `json:"b"`
	In   *inner          `json:"in"`
	List []inner         `json:"list"`
	Text []string        `json:"text"`
	Raw  json.RawMessage `json:"raw"`
	At   *time.Time      `json:"at"`
}

func TestKeysAreTakenAsTheyAre(t *testing.T) {
	var o outer
	raw := `{"A":"no","a":"yes","ſystem":1,"In":{"n":5},"in":{"N":1,"n":3.0,"name":null},"list":[{"n":-2e1},{}],"raw": {"x" : [1, 2]} ,"text":["1","\u00e9"],"at":"2026-01-02T03:04:05.5Z","f":1e-1,"b":true,"other":[{}]}`
	if err := exact.Fill([]byte(raw), &o); err != nil {
		t.Fatal(err)
	}
	if o.A != "yes" || *o.In.N != 3 || o.In.Name != nil || len(o.List) != 2 || *o.List[0].N != -20 || string(o.Raw) != `{"x" : [1, 2]}` ||
		o.Text[1] != "é" || *o.F != 0.1 || !o.B ||
		!o.At.Equal(time.Date(2026, 1, 2, 3, 4, 5, 5e8, time.UTC)) {
		t.Errorf("%+v", o)
	}
}

func TestAWrongKindNamesItsPlaceAndRepeatsNothing(t *testing.T) {
	long := strings.Repeat("9", 300_000)
	for raw, place := range map[string]string{
		`{"in":{"n":1.5}}`: "in.n", `{"in":{"n":"1"}}`: "in.n", `{"in":5}`: "in", `{"list":[{},{"name":1}]}`: "list.1.name", `{"list":{}}`: "list",
		`{"in":{"n":` + long + `}}`: "in.n", `{"a":` + long + `}`: "a", `{"f":` + long + `}`: "f", `{"in":{"n":1e300}}`: "in.n", `{"b":1}`: "b", `[]`: "",
		`{"text":[null,7]}`: "text.1", `{"at":5}`: "at", `{"at":"` + long + `"}`: "at", `{"at":"2026-01-02"}`: "at",
	} {
		var o outer
		var wrong *exact.Error
		if err := exact.Fill([]byte(raw), &o); !errors.As(err, &wrong) || wrong.Place != place || len(err.Error()) > 200 {
			t.Errorf("%.60s: %.200v, want a fault at %q", raw, err, place)
		}
	}
}

// Whatever the standard library reads from valid text, Fill reads too.
func TestFillReadsWhatTheStandardLibraryReads(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return utf8.ValidRune(r) })).Draw(rt, "text")
		n := rapid.Int64().Draw(rt, "n")
		want := outer{A: text, List: []inner{{Name: &text, N: &n}, {}}, Text: []string{text, ""}, Raw: json.RawMessage(`[{"a":1}]`)}
		raw, err := json.Marshal(want)
		if err != nil {
			rt.Fatal(err)
		}
		var got outer
		if err := errors.Join(exact.Check(raw), exact.Fill(raw, &got)); err != nil {
			rt.Fatal(err)
		}
		if again, _ := json.Marshal(got); string(again) != string(raw) {
			rt.Fatalf("%s became %s", raw, again)
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"a":["\ud83d\ude00",1.5,null,{"b":"\\"}]}`))
	f.Add([]byte("{\"a\":\"\xff\",\"a\":2}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if exact.Check(raw) != nil {
			return
		}
		var o outer
		_ = exact.Fill(raw, &o) // an error is as good as a value
		if !json.Valid(raw) {
			t.Errorf("%q is no JSON", raw)
		}
	})
}

// What a struct has for itself is out of the reach of any key: without a name, or with one that says so.
func TestKeysReachOnlyFieldsWithANameInJSON(t *testing.T) {
	var got struct {
		Named  int `json:"named"`
		Bare   bool
		Left   bool `json:"-"`
		hidden bool
	}
	if err := exact.Fill([]byte(`{"":true,"-":true,"Bare":true,"Left":true,"hidden":true,"named":1}`), &got); err != nil || got.Named != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if got.Bare || got.Left || got.hidden {
		t.Errorf("a key reached %+v", got)
	}
}
