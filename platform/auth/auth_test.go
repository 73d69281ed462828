package auth_test

import (
	"net/http/httptest"
	"testing"

	"github.com/agent-memory/agent-memory/platform/auth"
)

func TestKeysAreTakenFromBothHeaders(t *testing.T) {
	keys := auth.NewKeys([]string{"one", "two"})
	for _, c := range []struct {
		header, value string
		ok            bool
	}{
		{"X-Api-Key", "one", true},
		{"X-Api-Key", " two ", true},
		{"Authorization", "Bearer two", true},
		{"Authorization", "bearer one", true},
		{"Authorization", "one", false},
		{"Authorization", "Basic one", false},
		{"X-Api-Key", "on", false},
		{"X-Api-Key", "onee", false},
		{"X-Api-Key", "", false},
	} {
		req := httptest.NewRequest("GET", "/", nil)
		req.Header.Set(c.header, c.value)
		who, ok := keys.Identify(req)
		if ok != c.ok || ok && (who.Tenant != auth.DefaultTenant || who.Key == "" || who.Key == c.value) {
			t.Errorf("%s: %q gives %+v, %v", c.header, c.value, who, ok)
		}
	}
}

func TestWithoutKeysAnyIsTaken(t *testing.T) {
	for _, value := range []string{"", "anything"} {
		req := httptest.NewRequest("GET", "/", nil)
		req.Header.Set("X-Api-Key", value)
		if who, ok := auth.NewKeys(nil).Identify(req); !ok || who.Tenant != auth.DefaultTenant {
			t.Errorf("%q gives %+v, %v", value, who, ok)
		}
	}
}
