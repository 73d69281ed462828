package settings

import (
	"fmt"
	"strconv"
	"strings"
)

// Share is one in so many; 0 is none.
type Share int

// UnmarshalText reads 0, 1 or 1/N.
func (s *Share) UnmarshalText(text []byte) error {
	value := strings.TrimSpace(string(text))
	if value == "0" {
		*s = 0
		return nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(value, "1/"))
	if err != nil || n < 1 || !strings.HasPrefix(value, "1/") && n != 1 {
		return fmt.Errorf("%q is no share; give 0, 1, or 1/N such as 1/100", value)
	}
	*s = Share(n)
	return nil
}

// String is 0 or 1/N.
func (s Share) String() string {
	if s == 0 {
		return "0"
	}
	return fmt.Sprintf("1/%d", int(s))
}
