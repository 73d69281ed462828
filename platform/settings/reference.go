package settings

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Reference is a table in Markdown of all settings, in the order in which they are documented.
func Reference(flags []*kong.Flag) string {
	var table strings.Builder
	table.WriteString("| variable | flag | default | what it is |\n|---|---|---|---|\n")
	for _, flag := range flags {
		if len(flag.Envs) == 0 {
			continue
		}
		initial := "none"
		if flag.Default != "" {
			initial = "`" + flag.Default + "`"
		}
		fmt.Fprintf(&table, "| `%s` | `--%s` | %s | %s |\n", strings.Join(flag.Envs, "`, `"), flag.Name, initial, cell(flag.Help))
	}
	return table.String()
}

// cell is a text that stands in a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;").Replace(text)
}
