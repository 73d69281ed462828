package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A hundred thousand small blocks cost what their bytes do, not the square of it: this ran for minutes.
func TestManyBlocksAreRefusedLikeOneLongText(t *testing.T) {
	s := start(t)
	block := `{"type":"text","text":"` + strings.Repeat("one two ", 12) + `"}`
	status, answer := s.ask(t, "/v1/messages", `{"model":"claude-x","max_tokens":5,"messages":[{"role":"user","content":[`+
		strings.TrimSuffix(strings.Repeat(block+",", 99_999), ",")+`]}]}`)
	if said := fmt.Sprint(answer); status != http.StatusBadRequest || !strings.Contains(said, "prompt is too long: ") {
		t.Errorf("%d %.300s", status, said)
	}
}
