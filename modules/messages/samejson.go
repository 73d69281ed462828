package messages

import (
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
)

// sameJSON tells whether two texts are the same value, whatever the order of keys and the way of writing it.
func sameJSON(a, b string) bool {
	x, okX := valueOf(a)
	y, okY := valueOf(b)
	return okX && okY && reflect.DeepEqual(x, y)
}

func valueOf(text string) (any, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return nil, false
	}
	return plainNumbers(v), true
}

// plainNumbers writes each number in one way.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			v[key] = plainNumbers(item)
		}
	case []any:
		for i, item := range v {
			v[i] = plainNumbers(item)
		}
	case json.Number:
		return plainNumber(string(v))
	}
	return v
}

// number is a number in the one way of writing it, unlike a text that looks the same.
type number string

// plainNumber writes 1.0, 10e-1 and 1 alike. Where that would take long, as for 1e999999, the text stands.
func plainNumber(text string) number {
	if _, exponent, found := strings.Cut(strings.ToLower(text), "e"); found && len(strings.TrimLeft(exponent, "+-0")) > 3 {
		return number(text)
	}
	if r, ok := new(big.Rat).SetString(text); ok {
		return number(r.RatString())
	}
	return number(text)
}
