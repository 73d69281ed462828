package grammar_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/grammar"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// end is the token that ends an answer. Below it are the bytes, above it longer tokens, some of which end inside a character.
const end = 256

func vocabulary() (*grammar.Vocabulary, []string) {
	var texts []string
	for b := range 256 {
		texts = append(texts, string([]byte{byte(b)}))
	}
	texts = append(texts, "", `{"`, `": `, `", "`, `"}`, `"a`, "12", "tru", "e}", "\xc3", "é\"", "\xf0\x9f", "\x98\x80x", `\u`, "d83", "  ", "\n  ", "[]", "},", "ll")
	text := func(token int32) (string, bool) { return texts[token], texts[token] != "" }
	return grammar.NewVocabulary(len(texts), text, []int32{end}), texts
}

var schemas = []string{
	`true`,
	grammar.AnyObject,
	`{"type":"object","properties":{"a":{"type":"string"},"é":{"type":"integer"},"ab":{"type":["boolean","null"]}},"required":["a"]}`,
	`{"type":"object","properties":{"b":{"type":"number","minimum":0},"a":{"enum":["x","é\"",3,null,{"k":[1]}]}},"required":["a","b"],"additionalProperties":false}`,
	`{"type":"object","properties":{"a":true},"additionalProperties":{"type":"integer"},"required":["a","z"]}`,
	`{"properties":{"a":{"type":"string"}}}`,
	`{"type":"array","prefixItems":[{"type":"string","maxLength":2},{"const":1}],"items":{"type":"boolean"},"minItems":1,"maxItems":4}`,
	`{"type":"array","items":{"type":"string","minLength":2,"maxLength":3},"minItems":2}`,
	`{"type":"array","prefixItems":[{"type":"null"}],"items":false}`,
	`{"type":"integer","minimum":-12,"exclusiveMaximum":1030}`,
	`{"type":"integer","minimum":7.5}`,
	`{"type":"integer","maximum":-5}`,
	`{"anyOf":[{"type":"string"},{"type":"object","properties":{"n":{"$ref":"#"}},"required":["n"],"additionalProperties":false}]}`,
	`{"$defs":{"tree":{"type":"object","properties":{"v":{"type":"integer","minimum":0,"maximum":255},"down":{"type":"array","items":{"$ref":"#/$defs/tree"}}},"required":["v"],"additionalProperties":false}},"$ref":"#/$defs/tree"}`,
	`{"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"n":{"type":"null"}},"required":["k","n"]},{"type":"object","properties":{"k":{"const":"b"}},"required":["k"]}]}`,
	`{"type":"array","items":{"type":"string","minLength":1,"maxLength":40},"maxItems":3}`,
	`{"allOf":[{"type":"boolean"}],"description":"d","title":"t"}`,
	`{"type":"number","minimum":0,"maximum":1}`,
	`{"type":"number","exclusiveMinimum":-1.25,"maximum":3.50}`,
	`{"type":"number","minimum":2.05,"exclusiveMaximum":2.5}`,
	`{"type":"number","exclusiveMinimum":0}`,
	`{"type":"number","maximum":-7.9,"minimum":-120}`,
	`{"type":"string","pattern":"^[a-cé-ü一-龥]{2,5}(-\\d+)?$"}`,
	`{"type":"string","pattern":"x+[^a\"]"}`,
	`{"type":"string","pattern":"^(a|b)$|^c.\\\\$"}`,
	`{"type":"array","items":{"type":"string","format":"date-time"},"maxItems":2}`,
	`{"type":"object","properties":{"id":{"type":"string","format":"uuid"},"at":{"type":"string","format":"ipv4"},"mail":{"type":"string","format":"email"},"u":{"type":"string","format":"uri"},"h":{"type":"string","format":"hostname"},"d":{"type":"string","format":"date"},"t":{"type":"string","format":"time"}},"required":["id","at","mail","u","h","d","t"],"additionalProperties":false}`,
}

func compile(t *testing.T, schema string) *grammar.Grammar {
	t.Helper()
	words, _ := vocabulary()
	g, err := grammar.Compile([]byte(schema), words)
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	return g
}

func validator(t *testing.T, schema string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err == nil {
		c.AssertFormat()
		err = c.AddResource("schema.json", parsed)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("schema.json")
}

// wander takes a random way. Behind some tokens it takes the ends of things, so that it comes to an end.
func wander(t *testing.T, w *grammar.Walk, texts []string, random *rand.Rand) string {
	t.Helper()
	var written strings.Builder
	patience := random.IntN(60)
	for n := 0; ; n++ {
		if n > 5000 {
			t.Fatalf("does not end: %.300q", written.String())
		}
		mask, err := w.Allowed()
		if err != nil {
			t.Fatalf("behind %.300q: %v", written.String(), err)
		}
		var allowed, closing []int32
		for token, text := range texts {
			if mask[token/64]>>(token%64)&1 == 0 {
				continue
			}
			allowed = append(allowed, int32(token))
			if token == end || strings.ContainsAny(text[:1], `"}]`) {
				closing = append(closing, int32(token))
			}
		}
		if n > patience && len(closing) > 0 && random.IntN(4) > 0 {
			allowed = closing
		}
		token := allowed[random.IntN(len(allowed))]
		if err := w.Advance(token); err != nil {
			t.Fatalf("behind %q, %q was allowed: %v", written.String(), texts[token], err)
		}
		if token == end {
			return written.String()
		}
		written.WriteString(texts[token])
	}
}

// Whatever way through the masks comes to an end, what was written is valid.
func TestEveryFinishedWalkIsValid(t *testing.T) {
	_, texts := vocabulary()
	random := rand.New(rand.NewPCG(1, 2))
	for _, schema := range schemas {
		g, valid := compile(t, schema), validator(t, schema)
		for range 650 {
			written := wander(t, g.Walk(), texts, random)
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(written))
			if err == nil {
				err = valid.Validate(value)
			}
			if err != nil {
				t.Fatalf("%s: %q: %v", schema, written, err)
			}
		}
	}
}

// takes tells whether a document can be written byte by byte.
func takes(t *testing.T, g *grammar.Grammar, document string) bool {
	t.Helper()
	w := g.Walk()
	for i := range len(document) {
		mask, err := w.Allowed()
		if err != nil {
			t.Fatal(err)
		}
		b := document[i]
		allowed := mask[b/64]>>(b%64)&1 == 1
		if err := w.Advance(int32(b)); (err == nil) != allowed {
			t.Fatalf("%q at %d: allowed %v, but %v", document, i, allowed, err)
		}
		if !allowed {
			return false
		}
	}
	return w.Complete()
}

// Valid documents can be written, and others can't.
func TestDocumentsAreTakenAsTheSchemaSays(t *testing.T) {
	for _, c := range []struct{ schema, valid, invalid string }{
		{`true`, `1|-0.5e-3|"\ud83d\ude00 \u00e9\u0000\n"|"é😀"|[]|[1, "a"]|{"a":{"b":[null]}}|null`, `01|1.|.5|"\ud83d"|"\ude00"|+1|{,}|[1,]|tru|nan`},
		{`true`, "{\n  \"a\": 1,\n  \"b\": [\n    1\n  ]\n}", " 1|1 |[  1]|[1 ,2]|\"\xff\"|\"\xed\xa0\x80\"|\"\xc0\x80\"|\"\t\""},
		{schemas[2], `{"a":""}|{"a":"x","é":-1,"ab":null}|{"a":"","z":[1]}|{"a":"","abc":1}|{"a":"","aa":1}`, `{}|{"é":1}|{"a":1}|{"é":1,"a":""}|{"a":"","a":1}|{"a":"","ab":1}|{"a":"","\u0061b":1}`},
		{schemas[3], `{"b":0.5,"a":"é\""}|{"b":1,"a":{"k":[1]}}|{"b":12,"a":3}`, `{"b":-1,"a":3}|{"b":1}|{"b":1,"a":4}|{"b":1,"a":3,"c":1}`},
		{schemas[4], `{"a":null,"z":1}|{"a":1,"z":2,"q":3}`, `{"a":1}|{"a":1,"z":"x"}|{"a":1,"z":1,"q":""}`},
		{schemas[6], `["é😀"]|["",1,true,false]`, `[]|["abc"]|["",2]|["",1,true,true,true]|["",1,3]`},
		{schemas[7], `["ab","\ud83d\ude00x"]|["ab","abc","ab"]`, `["ab"]|["ab","a"]|["ab","abcd"]`},
		{schemas[8], `[]|[null]`, `[null,1]`},
		{schemas[9], `-12|-1|0|9|10|99|999|1000|1029`, `-13|1030|2000|-20|00|1.5|-0.1`},
		{schemas[10], `8|10|19|123456789`, `7|0|-8`},
		{schemas[11], `-5|-10|-77`, `-4|5|0`},
		{schemas[12], `"x"|{"n":{"n":"y"}}`, `{}|{"n":1}|1`},
		{schemas[13], `{"v":255,"down":[{"v":0},{"v":1,"down":[]}]}`, `{"v":256}|{"down":[]}`},
		{schemas[14], `{"k":"a","n":null}|{"k":"b"}`, `{"k":"a"}|{"k":"c"}`},
		{schemas[16], `true|false`, `1|null`},
		{schemas[17], `0|1|0.0|1.0|1.00|0.75|0.999`, `2|1.01|-0.1|10|01`},
		{schemas[18], `-1.2|-1|-1.24|0|-0.5|3.5|3.49|2.75|3.500|3`, `-1.25|-1.250|-1.26|3.51|4|-2|3.5001`},
		{schemas[19], `2.05|2.050|2.1|2.4999|2.06`, `2|2.0|2.04|2.049|2.5|2.50|3|2.6`},
		{schemas[20], `0.1|1|12.5|0.0001|99`, `0|0.0|-1|0.000`},
		{schemas[22], `"ab"|"éü"|"中文-12"|"abcab"`, `"a"|"abcabc"|"ad"|"ab-"|"é"|"xab"|"abx"|"ab-1 "`},
		{`{"type":"string","pattern":"^[\\u4e00-\\u9fa5\\x41]+$"}`, `"中A"`, `"a"|""`},
		{schemas[23], `"xb"|"say xx!\n"|"axé\"\u0001"|"x\\"`, `"x"|"xa"|"x\""|"b"`},
		{schemas[24], `"a"|"b"|"c.\\"|"c\"\\"`, `"c"|"ab"|"d"|"c.."`},
		{schemas[25], `["2024-02-28T23:59:59Z"]|["1999-12-31T00:00:00.5+01:30","2000-01-01T00:00:00Z"]`, `["2024-02-30T00:00:00Z"]|["2024-13-01T00:00:00Z"]|["2024-01-01"]|["2024-01-01T24:00:00Z"]`},
		{schemas[21], `-7.9|-8|-119.99|-120|-120.0|-10.5`, `-7.89|-7|-120.01|-121|8|0|-1200`},
	} {
		g := compile(t, c.schema)
		for _, document := range strings.Split(c.valid, "|") {
			if !takes(t, g, document) {
				t.Errorf("%s: %q can't be written", c.schema, document)
			}
		}
		for _, document := range strings.Split(c.invalid, "|") {
			if takes(t, g, document) {
				t.Errorf("%s: %q can be written", c.schema, document)
			}
		}
	}
}

// What an answer can't be held to is refused by its place.
func TestSchemasAreRefusedByPlace(t *testing.T) {
	words, _ := vocabulary()
	for schema, place := range map[string]string{
		`{"type":"object","properties":{"a":{"not":{}}}}`:                    "$.properties.a.not",
		`{"type":"string","pattern":"a(?=b)"}`:                               "$.pattern",
		`{"type":"string","pattern":"a\\bc"}`:                                "$.pattern",
		`{"type":"string","pattern":"a","maxLength":3}`:                      "$.maxLength",
		`{"type":"string","format":"date","pattern":"a"}`:                    "$.format",
		`{"type":"string","format":"iri"}`:                                   "$.format",
		`{"type":"number","maximum":3e2}`:                                    "$.maximum",
		`{"type":"number","maximum":3,"exclusiveMinimum":3}`:                 "$",
		`{"type":"integer","maximum":1e999999999}`:                           "$.maximum",
		`{"type":"text"}`:                                                    "$.type",
		`{"items":{"uniqueItems":true}}`:                                     "$.items.uniqueItems",
		`{"anyOf":[{"type":"string"},{"if":true}]}`:                          "$.anyOf[1].if",
		`{"anyOf":[{"type":"string"}],"type":"string"}`:                      "$.type",
		`{"oneOf":[{"type":"integer"},{"type":"number"}]}`:                   "$.oneOf",
		`{"oneOf":[{"const":1},{"const":1.0}]}`:                              "$.oneOf",
		`{"allOf":[{"type":"object"},{"required":["a"]}]}`:                   "$.allOf",
		`{"$ref":"#/$defs/none"}`:                                            "$.$ref",
		`{"$ref":"http://other.example/"}`:                                   "$.$ref",
		`{"$ref":"#"}`:                                                       "$",
		`{"type":"object","properties":{"n":{"$ref":"#"}},"required":["n"]}`: "$",
		`{"type":"array","minItems":3,"maxItems":2}`:                         "$.maxItems",
		`{"type":"string","minLength":-1}`:                                   "$.minLength",
		`false`:                                                              "$",
		`7`:                                                                  "$",
		`{"enum":[]}`:                                                        "$",
		strings.Repeat(`{"items":`, 100) + `true` + strings.Repeat(`}`, 100): "$" + strings.Repeat(".items", 65),
	} {
		_, err := grammar.Compile([]byte(schema), words)
		var refusedErr *grammar.RefusedError
		if !errors.As(err, &refusedErr) || refusedErr.Place != place {
			t.Errorf("%.100s: %v, want %s", schema, err, place)
		}
	}
}

// Values of Go's own encoder can be written by the forms that take all of them.
func TestRandomValuesAreReachable(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	g := compile(t, `true`)
	for range 500 {
		document, err := json.Marshal(randomValue(random, 3))
		if err != nil {
			t.Fatal(err)
		}
		if !takes(t, g, string(document)) {
			t.Fatalf("%s can't be written", document)
		}
	}
}

func randomValue(random *rand.Rand, depth int) any {
	switch kind := random.IntN(7); {
	case kind == 0:
		return nil
	case kind == 1:
		return random.IntN(2) == 0
	case kind == 2:
		return random.IntN(2000) - 1000
	case kind == 3:
		return random.NormFloat64()
	case kind == 4 || depth == 0:
		runes := make([]rune, random.IntN(6))
		for i := range runes {
			runes[i] = rune(random.IntN(0x3000))
		}
		return string(runes)
	case kind == 5:
		list := make([]any, random.IntN(4))
		for i := range list {
			list[i] = randomValue(random, depth-1)
		}
		return list
	}
	m := map[string]any{}
	for range random.IntN(4) {
		m[randomName(random)] = randomValue(random, depth-1)
	}
	return m
}

func randomName(random *rand.Rand) string {
	return string([]rune{rune('a' + random.IntN(26)), rune(0xe0 + random.IntN(30))})
}

// A number can be written exactly if it lies between the bounds, whatever they are.
func TestNumbersLieBetweenTheirBounds(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	draw := func() string {
		text := fmt.Sprint(random.IntN(30))
		if random.IntN(2) == 0 {
			text += "." + fmt.Sprint(random.IntN(10)) + strings.Repeat("0", random.IntN(2)) + fmt.Sprint(random.IntN(10))
		}
		if random.IntN(2) == 0 {
			text = "-" + text
		}
		return text
	}
	value := func(text string) *big.Rat {
		v, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatal(text)
		}
		return v
	}
	taken := 0
	for range 150 {
		low, high := draw(), draw()
		lower, upper := []string{"minimum", "exclusiveMinimum"}[random.IntN(2)], []string{"maximum", "exclusiveMaximum"}[random.IntN(2)]
		words, _ := vocabulary()
		schema := fmt.Sprintf(`{"type":"number",%q:%s,%q:%s}`, lower, low, upper, high)
		g, err := grammar.Compile([]byte(schema), words)
		isIn := func(v *big.Rat) bool {
			a, b := v.Cmp(value(low)), v.Cmp(value(high))
			return (a > 0 || a == 0 && lower == "minimum") && (b < 0 || b == 0 && upper == "maximum")
		}
		if err != nil {
			if isIn(new(big.Rat).Quo(new(big.Rat).Add(value(low), value(high)), big.NewRat(2, 1))) {
				t.Errorf("%s: %v", schema, err)
			}
			continue
		}
		for range 60 {
			text := draw()
			if random.IntN(3) == 0 {
				text = []string{low, high}[random.IntN(2)]
			}
			isZero := value(text).Sign() == 0 && strings.HasPrefix(text, "-") // it has a spelling without a sign
			if want := isIn(value(text)); takes(t, g, text) != want && !isZero {
				t.Errorf("%s: %s, want %v", schema, text, want)
			} else if want {
				taken++
			}
		}
	}
	if taken < 500 {
		t.Errorf("only %d numbers were between their bounds", taken)
	}
}
