package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/agent-memory/agent-memory/modules/agents"
)

func writeCursor(c agents.Cursor) string {
	if c == (agents.Cursor{}) {
		return ""
	}
	data, _ := json.Marshal([]string{c.Tenant, c.ID}) // strings always can
	return base64.RawURLEncoding.EncodeToString(data)
}

func readCursor(text string, c *agents.Cursor) error {
	if text == "" {
		return nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	var parts []string
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) != 2 || strings.Contains(parts[0]+parts[1], "\x00") { // which no name has
		return errors.New("not two names")
	}
	c.Tenant, c.ID = parts[0], parts[1]
	return nil
}
