package daemon

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"
)

// unsigned is a token with a payload and no signature, which the agent does not look at.
func unsigned(payload string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"RS256","kid":"1"}`) + "." + part(payload) + "." + part("signature")
}

// TestAgentRefuses asks by names and with tokens that the agent refuses before it asks whose they are.
func TestAgentRefuses(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	good := unsigned(`{"exp":1700003600,"nbf":1700000000,"sub":"system:serviceaccount:shop:till"}`)
	for _, c := range []struct {
		name, host, token string
		status            int
		text              string
	}{
		{"IPv4", "169.254.170.23", good, 0, ""},
		{"IPv4 with a port", "169.254.170.23:80", good, 0, ""},
		{"IPv6", "[fd00:ec2::23]", good, 0, ""},
		{"IPv6 with a port", "[fd00:ec2::23]:80", good, 0, ""},
		{"a name", "evil.example.com", good, http.StatusForbidden, "Access Denied. Called agent through invalid address, please use either [169.254.170.23 fd00:ec2::23] address not evil.example.com"},
		{"another address", "169.254.169.254", good, http.StatusForbidden, "Access Denied. Called agent through invalid address, please use either [169.254.170.23 fd00:ec2::23] address not 169.254.169.254"},
		{"no host", "", good, http.StatusForbidden, "Access Denied. Called agent through invalid address"},
		{"no token", "169.254.170.23", "", http.StatusBadRequest, "Service account token cannot be empty"},
		{"a bearer", "169.254.170.23", "Bearer " + good, http.StatusBadRequest, "Service account token cannot be parsed: "},
		{"not a token", "169.254.170.23", "a.b", http.StatusBadRequest, "Service account token cannot be parsed: "},
		{"not JSON", "169.254.170.23", unsigned("{"), http.StatusBadRequest, "Service account token cannot be parsed: "},
		{"too long", "169.254.170.23", unsigned(`{"x":"` + strings.Repeat("x", maxPodToken) + `"}`), http.StatusBadRequest, "Service account token cannot be parsed: it has more than 16384 bytes"},
		{"expired", "169.254.170.23", unsigned(`{"exp":1699999999}`), http.StatusBadRequest, "Service account token failed basic claim validations: token is expired"},
		{"not valid yet", "169.254.170.23", unsigned(`{"exp":1700003600,"nbf":1700000001}`), http.StatusBadRequest, "Service account token failed basic claim validations: token is not valid yet"},
	} {
		text, status := checkPod(c.host, c.token, now)
		if status != c.status || !strings.HasPrefix(text, c.text) {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, text, c.status, c.text)
		}
	}
}

// TestAgentRate lets one instance ask no more than its rate, and others nevertheless.
func TestAgentRate(t *testing.T) {
	a := newAgent(nil)
	refused := 0
	for range 3 * agentBurst {
		if !a.allow("111122223333/i-1") {
			refused++
		}
	}
	if refused == 0 || !a.allow("111122223333/i-2") {
		t.Errorf("%d of %d requests refused", refused, 3*agentBurst)
	}
	for i := range maxLimited + 1 {
		a.allow(strings.Repeat("x", i))
	}
	if len(a.limits) > maxLimited {
		t.Errorf("%d instances are remembered", len(a.limits))
	}
}

// FuzzAgentRequest asks by any name with any token: what is not refused has the agent's own name and a token of three
// parts.
func FuzzAgentRequest(f *testing.F) {
	good := unsigned(`{"exp":1700003600,"sub":"system:serviceaccount:shop:till"}`)
	for _, host := range []string{"169.254.170.23", "[fd00:ec2::23]:80", "localhost", "[", "]", "169.254.170.23:x:y", "::ffff:169.254.170.23", "fd00:ec2::23%eth0"} {
		f.Add(host, good)
	}
	for _, token := range []string{"", ".", "..", "a.b.c", good + ".", "eyJhbGciOiJub25lIn0.e30.", unsigned(`{"exp":"x"}`), unsigned(`{"exp":1e400}`), unsigned(`{"aud":{}}`), unsigned(`[]`)} {
		f.Add("169.254.170.23", token)
	}
	f.Fuzz(func(t *testing.T, host, token string) {
		text, status := checkPod(host, token, time.Unix(1_700_000_000, 0))
		switch {
		case status == 0 && (text != "" || strings.Count(token, ".") != 2 || !strings.Contains(host, "169.254.170.23") && !strings.Contains(strings.ToLower(host), "fd00:ec2:")):
			t.Errorf("host %q and token %q are taken", host, token)
		case status != 0 && status != http.StatusBadRequest && status != http.StatusForbidden:
			t.Errorf("status %d", status)
		case strings.Contains(text, token) && len(token) > 64:
			t.Errorf("the token is in the text %q", text)
		}
	})
}
