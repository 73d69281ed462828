package ledger

import (
	"encoding/csv"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// harmless keeps a text from being a formula where a spreadsheet opens it: the ids of agents are their clients'. Texts that
// begin like one get an apostrophe in front.
func harmless(text string) string {
	if strings.ContainsAny(text[:min(1, len(text))], "=+-@\t\r\n") {
		return "'" + text
	}
	return text
}

// cellOf is a value as spreadsheets read it.
func cellOf(value reflect.Value) string {
	switch value.Kind() {
	case reflect.String:
		return harmless(value.String())
	case reflect.Float64:
		return strconv.FormatFloat(value.Float(), 'f', -1, 64)
	default:
		return strconv.FormatInt(value.Int(), 10)
	}
}

// writeCSV writes rows with the names of the fields that they have in JSON.
func writeCSV(to io.Writer, rows []LedgerRow) error {
	w := csv.NewWriter(to)
	fields := reflect.VisibleFields(reflect.TypeFor[LedgerRow]())
	var header []string
	for _, field := range fields {
		if !field.Anonymous {
			header = append(header, field.Tag.Get("json"))
		}
	}
	if err := w.Write(header); err != nil {
		return err
	}
	for _, row := range rows {
		var cells []string
		value := reflect.ValueOf(row)
		for _, field := range fields {
			if field.Anonymous {
				continue
			}
			cells = append(cells, cellOf(value.FieldByIndex(field.Index)))
		}
		if err := w.Write(cells); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
