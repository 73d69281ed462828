package exact

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Fill decodes a value, which Check found right, into a variable. Objects become structs by the exact names
// in the json tags; other keys are left alone, and null leaves everything as it is. A json.RawMessage shares
// the bytes of raw. A whole number may be written as 3.0 or 3e0. What implements
// encoding.TextUnmarshaler is written as a string.
func Fill(raw []byte, into any) error {
	return fill(skipSpace(raw), reflect.ValueOf(into).Elem())
}

func fill(raw []byte, to reflect.Value) error {
	raw, _ = cutValue(raw)
	if to.Type() == reflect.TypeFor[json.RawMessage]() {
		to.SetBytes(raw)
		return nil
	}
	if string(raw) == "null" {
		return nil
	}
	if text, is := to.Addr().Interface().(encoding.TextUnmarshaler); is {
		return fillText(raw, text)
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		return fill(raw, to.Elem())
	case reflect.Struct:
		return fillStruct(raw, to)
	case reflect.Slice:
		return fillSlice(raw, to)
	}
	return fillScalar(raw, to)
}

// fillText decodes a string into what reads its own form, such as a time.
func fillText(raw []byte, to encoding.TextUnmarshaler) error {
	if raw[0] != '"' {
		return &Error{"", "is not valid here; expected a string"}
	}
	if to.UnmarshalText([]byte(unquote(raw))) != nil {
		return &Error{"", "is not written in the form that is expected here"}
	}
	return nil
}

func fillStruct(raw []byte, to reflect.Value) error {
	if raw[0] != '{' {
		return &Error{"", "is not valid here; expected an object"}
	}
	fields := fieldsOf(to)
	for raw = skipSpace(raw[1:]); raw[0] != '}'; raw = nextElement(raw) {
		text, after := cutString(raw)
		var value []byte
		value, raw = cutValue(skipSpace(skipSpace(after)[1:]))
		name := unquote(text)
		field, known := fields[name]
		if !known {
			continue
		}
		if err := fill(value, field); err != nil {
			return inPlace(name, err)
		}
	}
	return nil
}

// fieldsOf are the fields that have a name in JSON. Others are the program's own: no key reaches them.
func fieldsOf(to reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range to.NumField() {
		field := to.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.IsExported() && name != "" && name != "-" {
			fields[name] = to.Field(i)
		}
	}
	return fields
}

func fillSlice(raw []byte, to reflect.Value) error {
	if raw[0] != '[' {
		return &Error{"", "is not valid here; expected an array"}
	}
	to.Set(reflect.MakeSlice(to.Type(), 0, 0))
	for raw = skipSpace(raw[1:]); raw[0] != ']'; raw = nextElement(raw) {
		var value []byte
		value, raw = cutValue(raw)
		element := reflect.New(to.Type().Elem()).Elem()
		if err := fill(value, element); err != nil {
			return inPlace(strconv.Itoa(to.Len()), err)
		}
		to.Set(reflect.Append(to, element))
	}
	return nil
}

func fillScalar(raw []byte, to reflect.Value) error {
	switch to.Kind() {
	case reflect.String:
		if raw[0] != '"' {
			return &Error{"", "is not valid here; expected a string"}
		}
		to.SetString(unquote(raw))
	case reflect.Bool:
		if raw[0] != 't' && raw[0] != 'f' {
			return &Error{"", "is not valid here; expected true or false"}
		}
		to.SetBool(raw[0] == 't')
	case reflect.Int, reflect.Int64:
		n, ok := wholeNumber(raw)
		if !ok {
			return &Error{"", "is not valid here; expected a whole number"}
		}
		to.SetInt(n)
	case reflect.Float64:
		x, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return &Error{"", "is not valid here; expected a number"}
		}
		to.SetFloat(x)
	default:
		return fmt.Errorf("decode JSON into a %s: this kind is not known", to.Type())
	}
	return nil
}

// wholeNumber reads a number that is whole, however it is written.
func wholeNumber(raw []byte) (int64, bool) {
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, true
	}
	x, err := strconv.ParseFloat(string(raw), 64)
	return int64(x), err == nil && x == float64(int64(x)) && x > -1<<53 && x < 1<<53
}
