package daemon

import (
	"strings"
	"testing"
)

func TestConfigValidate(t *testing.T) {
	good := DefaultConfig()
	if err := good.Validate(); err != nil {
		t.Errorf("the default configuration is refused: %v", err)
	}
	bad := Config{Listen: "4780", Region: "Dublin", Compatibility: "both", DNSForward: []string{"dns.example"}}
	err := bad.Validate()
	for _, want := range []string{"--listen", "--data", "--region", "--compatibility", "--dns-forward", "--drain-timeout", "--acceleration"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
}
