package vpc

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCheckFindsNothingHere(t *testing.T) {
	for _, p := range Check() {
		t.Errorf("%s: %s (%s)", p.Code, p.Text, p.Fix)
	}
}
