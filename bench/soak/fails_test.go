//go:build thorough

package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestSoakFails proves that the soak can fail: a target gives one answer with one wrong byte, and exactly that is
// reported, among thousands of bytes that are right, rules that change and a target that is killed.
func TestSoakFails(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(roleVariable, "serve")
	var out strings.Builder
	r, err := run(t.Context(), options{length: 3 * time.Second, seed: 7, rate: 80, churn: 4, faults: time.Second, big: 2 << 20, sample: time.Second, plain: true,
		corrupt: 5, program: self, out: &out})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
	if r.Kept != "" {
		defer os.RemoveAll(r.Kept)
	}
	if n := len(r.Unexplained); n != 1 || !strings.Contains(r.Unexplained[0], "byte 0") || r.Calls[classUnexplained] != 1 {
		t.Errorf("%d unexplained, want the one that has a wrong byte:\n%s", n, strings.Join(r.Unexplained, "\n"))
	}
	if r.Calls[classOK] < 20 || len(r.Churn) == 0 || len(r.Faults) == 0 {
		t.Errorf("too little was done: %v, churn %v, faults %v", r.Calls, r.Churn, r.Faults)
	}
	if left := owned(r.dataDir); len(left) > 0 {
		t.Errorf("left in the kernel: %v", left)
	}
}
