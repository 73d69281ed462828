package messages

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/agent-memory/agent-memory/platform/exact"
)

// How surfaces read bodies: each value is decoded where its form is known, and what is wrong is told by its place, without
// repeating what the client wrote.

// Decode checks a body, which must be one JSON object, and decodes its outer layer.
func Decode(raw []byte, into any) error {
	if err := exact.Check(raw); err != nil {
		return Refuse(Invalid, "%v", err)
	}
	if first := bytes.TrimLeft(raw, " \t\r\n"); first[0] != '{' {
		return Refuse(Invalid, "the body is not a JSON object")
	}
	return Fill("", raw, into)
}

// Fill decodes a value at a place in a body that Decode checked.
func Fill(place string, raw []byte, into any) error {
	err := exact.Fill(raw, into)
	var wrong *exact.Error
	switch {
	case errors.As(err, &wrong):
		return Refuse(Invalid, "%v", &exact.Error{Place: join(place, wrong.Place), Problem: wrong.Problem})
	case err != nil:
		return Refuse(Invalid, "%s: %v", join(place, "body"), err)
	}
	return nil
}

func join(place, field string) string {
	return strings.Trim(place+"."+field, ".")
}

// At names an element of an array.
func At(place string, i int) string { return fmt.Sprintf("%s.%d", place, i) }

// IsAbsent tells whether a value was left out, or is null.
func IsAbsent(raw json.RawMessage) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }

// IsObject tells whether a value is an object.
func IsObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

// IsToolName tells whether a tool may have this name.
func IsToolName(name string) bool {
	for _, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("_-", c) {
			return false
		}
	}
	return name != "" && len(name) <= 128
}
