package chat

// JSON to template values: the order of keys stays, whole numbers stay whole.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const maxJSONDepth = 200

// FromJSON reads one JSON value. guard, if not nil, is applied to every string in it, keys included.
func FromJSON(data []byte, guard func(string) string) (any, error) {
	if guard == nil {
		guard = func(s string) string { return s }
	}
	r := jsonReader{json.NewDecoder(bytes.NewReader(data)), guard}
	r.decoder.UseNumber()
	v, err := r.value(0)
	if err == nil {
		_, err = r.decoder.Token()
		if errors.Is(err, io.EOF) {
			return v, nil
		}
		err = errors.New("there is more after the value")
	}
	return nil, fmt.Errorf("read JSON: %w", err)
}

type jsonReader struct {
	decoder *json.Decoder
	guard   func(string) string
}

func (r jsonReader) value(depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxJSONDepth)
	}
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '[' {
			return r.list(depth)
		}
		return r.dict(depth)
	case json.Number:
		return number(string(t)), nil
	case string:
		return r.guard(t), nil
	}
	return token, nil
}

func (r jsonReader) list(depth int) (any, error) {
	l := &List{}
	for r.decoder.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		l.Items = append(l.Items, v)
	}
	_, err := r.decoder.Token()
	return l, err
}

func (r jsonReader) dict(depth int) (any, error) {
	d := NewDict()
	for r.decoder.More() {
		key, err := r.decoder.Token()
		if err != nil {
			return nil, err
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d.Set(r.guard(key.(string)), v)
	}
	_, err := r.decoder.Token()
	return d, err
}

func number(s string) any {
	if strings.ContainsAny(s, ".eE") {
		f, _ := strconv.ParseFloat(s, 64) // out of range gives an infinity, as in Python
		return f
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	return bigNumber(s)
}
