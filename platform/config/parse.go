package config

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
			all = append(all, Setting{flag.Envs[0], show(flag)})
		}
	}
	return all
}

func show(flag *kong.Flag) string {
	text := fmt.Sprint(flag.Target.Interface())
	if list, ok := flag.Target.Interface().([]string); ok {
		text = strings.Join(list, ",")
	}
	if flag.Tag.Has("secret") && text != "" {
		return "********"
	}
	return text
}

func temperature(t float64) error {
	if t >= 0 && t <= 1 {
		return nil
	}
	return fmt.Errorf("SEMANTIC_MLX_TEMPERATURE is %g; it must be between 0 and 1", t)
}

func kvBits(bits int) error {
	if bits == 16 || bits == 8 || bits == 4 {
		return nil
	}
	return fmt.Errorf("SEMANTIC_MLX_KV_BITS is %d; it must be 16, 8 or 4", bits)
}
