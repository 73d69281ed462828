// Package settings is what any program's settings need, each an environment variable and a flag of the same
// meaning: errors that name the variable, checks of values, and their printing without secrets.
package settings

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Explain turns an error of kong's parser into one line that names the environment variable behind the flag.
func Explain(err error) error {
	var parse *kong.ParseError
	if !errors.As(err, &parse) || parse.Context == nil {
		return err
	}
	text := err.Error()
	for _, flag := range parse.Context.Flags() {
		if rest, found := strings.CutPrefix(text, "--"+flag.Name); found && len(flag.Envs) > 0 && !strings.HasPrefix(rest, "-") {
			return fmt.Errorf("%s (--%s)%s", flag.Envs[0], flag.Name, rest)
		}
	}
	return errors.New(strings.TrimPrefix(text, "config: "))
}

// Setting is the effective value of one setting, masked if it is a secret.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Effective returns all settings in the order in which they are documented.
func Effective(flags []*kong.Flag) (all []Setting) {
	for _, flag := range flags {
		if len(flag.Envs) > 0 {
			all = append(all, Setting{flag.Envs[0], display(flag)})
		}
	}
	return all
}

func display(flag *kong.Flag) string {
	text := fmt.Sprint(flag.Target.Interface())
	if list, ok := flag.Target.Interface().([]string); ok {
		text = strings.Join(list, ",")
	}
	if flag.Tag.Has("secret") && text != "" {
		return "********"
	}
	return text
}
