package daemon

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestMetadataTokens holds tokens to their instance, their time and their key.
func TestMetadataTokens(t *testing.T) {
	m, other := newMetadata(nil), newMetadata(nil)
	now := time.Unix(1_700_000_000, 0)
	token := m.token("111122223333/i-1", now.Add(time.Minute))
	later := other.token("111122223333/i-1", now.Add(2*time.Hour))
	forged := later[:10] + token[10:] // the expiry of one, the MAC of the other
	for _, c := range []struct {
		name     string
		by       *metadata
		instance string
		token    string
		at       time.Time
		want     bool
	}{
		{"its own", m, "111122223333/i-1", token, now, true},
		{"expired", m, "111122223333/i-1", token, now.Add(time.Minute), false},
		{"another instance", m, "111122223333/i-2", token, now, false},
		{"another process", other, "111122223333/i-1", token, now, false},
		{"later expiry", m, "111122223333/i-1", forged, now.Add(time.Hour), false},
		{"cut", m, "111122223333/i-1", token[:8], now, false},
		{"none", m, "111122223333/i-1", "", now, false},
		{"not base64", m, "111122223333/i-1", "!", now, false},
	} {
		if got := c.by.valid(c.instance, c.token, c.at); got != c.want {
			t.Errorf("%s: valid is %t, want %t", c.name, got, c.want)
		}
	}
}

// TestMetadataIssue asks for tokens in the ways that are refused.
func TestMetadataIssue(t *testing.T) {
	m := newMetadata(nil)
	for _, c := range []struct {
		method, ttl, forwarded string
		want                   int
	}{
		{http.MethodPut, "60", "", http.StatusOK},
		{http.MethodPut, "21600", "", http.StatusOK},
		{http.MethodPut, "21601", "", http.StatusBadRequest},
		{http.MethodPut, "0", "", http.StatusBadRequest},
		{http.MethodPut, "", "", http.StatusBadRequest},
		{http.MethodGet, "60", "", http.StatusMethodNotAllowed},
		{http.MethodPut, "60", "10.0.0.1", http.StatusForbidden},
	} {
		r := httptest.NewRequest(c.method, "/latest/api/token", nil)
		r.Header.Set("X-aws-ec2-metadata-token-ttl-seconds", c.ttl)
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		w := httptest.NewRecorder()
		m.issue(w, r, "111122223333/i-1")
		if w.Code != c.want {
			t.Errorf("%+v: status %d", c, w.Code)
		}
		if c.want == http.StatusOK && !m.valid("111122223333/i-1", w.Body.String(), time.Now()) {
			t.Errorf("%+v: the token is not valid", c)
		}
	}
}
