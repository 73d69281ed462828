package chat

// Python's str, repr and json.dumps, to the character: a prompt that differs in one space is another prompt.

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// guardMark is the noncharacter that package tokenizer's guards are made of. It must come through repr
// unharmed.
const guardMark = '\uFDD0'

func str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case markup:
		return string(v)
	case undefined:
		return ""
	}
	return repr(v)
}

func repr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case bigNumber:
		return string(v)
	case float64:
		return floatRepr(v, "inf", "nan")
	case string:
		return stringRepr(v)
	case markup:
		return "Markup(" + stringRepr(string(v)) + ")"
	case undefined:
		return "Undefined"
	case *List:
		return listRepr(v)
	case *Dict:
		return dictRepr(v)
	case callable:
		return "<" + v.name + ">"
	}
	return fmt.Sprintf("<%s>", typeName(v))
}

func listRepr(l *List) string {
	parts := make([]string, len(l.Items))
	for i, item := range l.Items {
		parts[i] = repr(item)
	}
	inner := strings.Join(parts, ", ")
	switch {
	case l.tuple && len(parts) == 1:
		return "(" + inner + ",)"
	case l.tuple:
		return "(" + inner + ")"
	}
	return "[" + inner + "]"
}

func dictRepr(d *Dict) string {
	parts := make([]string, len(d.keys))
	for i, key := range d.keys {
		parts[i] = repr(key) + ": " + repr(d.at(key))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// floatRepr writes the shortest digits that read back the same, with an exponent below 1e-4 and from 1e16 on.
func floatRepr(f float64, inf, nan string) string {
	switch {
	case math.IsInf(f, 1):
		return inf
	case math.IsInf(f, -1):
		return "-" + inf
	case math.IsNaN(f):
		return nan
	}
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func stringRepr(s string) string {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r) || r == guardMark:
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteRune(quote)
	return b.String()
}

// jsonWriter is json.dumps.
type jsonWriter struct {
	ascii, sorted    bool
	indent           string // what one level adds
	pretty           bool
	separator, colon string
	out              strings.Builder
}

func (d *jsonWriter) write(v any, depth int) error {
	switch v := v.(type) {
	case nil:
		d.out.WriteString("null")
	case bool:
		d.out.WriteString(strconv.FormatBool(v))
	case int64, bigNumber:
		d.out.WriteString(repr(v))
	case float64:
		d.out.WriteString(floatRepr(v, "Infinity", "NaN"))
	case string, markup:
		d.quote(str(v))
	case *List:
		return d.list(v, depth)
	case *Dict:
		return d.dict(v, depth)
	default:
		return fmt.Errorf("tojson: %s is not JSON serializable", typeName(v))
	}
	return nil
}

func (d *jsonWriter) list(l *List, depth int) error {
	if l.lazy {
		return errors.New("tojson: a generator is not JSON serializable")
	}
	if len(l.Items) == 0 {
		d.out.WriteString("[]")
		return nil
	}
	d.out.WriteString("[")
	for i, item := range l.Items {
		d.separate(i, depth+1)
		if d.out.Len() > mostOutput {
			return errTooLarge
		}
		if err := d.write(item, depth+1); err != nil {
			return err
		}
	}
	d.newline(depth)
	d.out.WriteString("]")
	return nil
}

func (d *jsonWriter) dict(v *Dict, depth int) error {
	if len(v.keys) == 0 {
		d.out.WriteString("{}")
		return nil
	}
	keys := v.keys
	if d.sorted {
		var err error
		if keys, err = sortBy(keys, true, false, func(v any) (any, error) { return v, nil }); err != nil {
			return fmt.Errorf("tojson: %w", err)
		}
	}
	d.out.WriteString("{")
	for i, key := range keys {
		name, err := jsonKey(key)
		if err != nil {
			return err
		}
		d.separate(i, depth+1)
		d.quote(name)
		d.out.WriteString(d.colon)
		if d.out.Len() > mostOutput {
			return errTooLarge
		}
		if err := d.write(v.at(key), depth+1); err != nil {
			return err
		}
	}
	d.newline(depth)
	d.out.WriteString("}")
	return nil
}

// jsonKey is a key as json.dumps writes it.
func jsonKey(key any) (string, error) {
	switch k := key.(type) {
	case string, markup:
		return str(k), nil
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(k), nil
	case int64, bigNumber:
		return repr(k), nil
	case float64:
		return floatRepr(k, "Infinity", "NaN"), nil
	}
	return "", fmt.Errorf("tojson: %s cannot be a key", typeName(key))
}

func (d *jsonWriter) separate(i, depth int) {
	if i > 0 {
		d.out.WriteString(d.separator)
	}
	d.newline(depth)
}

func (d *jsonWriter) newline(depth int) {
	if d.pretty {
		d.out.WriteString("\n" + strings.Repeat(d.indent, depth))
	}
}

func (d *jsonWriter) quote(s string) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\b': `\b`}
	d.out.WriteByte('"')
	for _, r := range s {
		escape, ok := short[r]
		switch {
		case ok:
			d.out.WriteString(escape)
		case r < 0x20 || d.ascii && r > 0x7E && r < 0x10000:
			fmt.Fprintf(&d.out, `\u%04x`, r)
		case d.ascii && r >= 0x10000:
			fmt.Fprintf(&d.out, `\u%04x\u%04x`, 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
		default:
			d.out.WriteRune(r)
		}
	}
	d.out.WriteByte('"')
}
