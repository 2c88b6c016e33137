//go:build thorough

package trellistest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBackup backs a Trellis up that runs and one that was killed, makes new ones of both backups, and finds in each what
// was there then: nouns, logs, secrets. Backups that are damaged, and places that hold something, are refused.
func TestBackup(t *testing.T) {
	t.Parallel()
	tr := StartProcess(t)
	verb := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), Program(t), args...).CombinedOutput()
		return string(out), err
	}
	must := func(args ...string) {
		t.Helper()
		if out, err := verb(args...); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	network := func(name string) {
		tr.Call(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": name})
	}
	network("first")
	tr.Call(t, "", "logs", "CreateLogGroup", map[string]any{"logGroupName": "calls"})
	tr.Call(t, "", "logs", "CreateLogStream", map[string]any{"logGroupName": "calls", "logStreamName": "one"})
	tr.Call(t, "", "logs", "PutLogEvents", map[string]any{"logGroupName": "calls", "logStreamName": "one",
		"logEvents": []any{map[string]any{"timestamp": time.Now().UnixMilli(), "message": "kept"}}})
	tr.Shell(t, "", "aws s3 mb s3://kept && echo an object | aws s3 cp - s3://kept/o")
	dir := t.TempDir()
	online, offline := filepath.Join(dir, "online"), filepath.Join(dir, "offline")
	must("backup", "--data", tr.Dir, online)
	network("second")
	tr.Kill()
	must("backup", "--data", tr.Dir, offline)

	key := filepath.Join(tr.Dir, "seal.key")
	text, err := os.ReadFile(online)
	if err != nil {
		t.Fatal(err)
	}
	if secret, err := os.ReadFile(key); err != nil || bytes.Contains(text, secret) {
		t.Errorf("the backup holds the sealing key: %v", err)
	}
	bad := filepath.Join(dir, "bad")
	for name, damaged := range map[string][]byte{"cut": text[:len(text)-20], "half": text[:len(text)/2], "empty": nil, "text": []byte("hello"),
		"changed": append(append(bytes.Clone(text[:len(text)/2]), text[len(text)/2]^1), text[len(text)/2+1:]...)} {
		if err := os.WriteFile(bad, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		place := filepath.Join(dir, "refused")
		if out, err := verb("restore", "--data", place, "--seal-key", key, bad); err == nil || !strings.Contains(out, "no whole backup") {
			t.Errorf("a backup that is %s: %v\n%s", name, err, out)
		}
		if left, _ := filepath.Glob(place + "*"); len(left) > 0 {
			t.Errorf("a backup that is %s left %v", name, left)
		}
	}
	if out, err := verb("restore", "--data", tr.Dir, "--seal-key", key, online); err == nil || !strings.Contains(out, "is not empty") {
		t.Errorf("over another Trellis: %v\n%s", err, out)
	}
	if out, err := verb("restore", "--data", filepath.Join(dir, "keyless"), online); err == nil || !strings.Contains(out, "the sealing key") {
		t.Errorf("without the key: %v\n%s", err, out)
	}

	for backup, want := range map[string]int{online: 1, offline: 2} {
		tr.Dir = filepath.Join(dir, "restored", filepath.Base(backup))
		must("restore", "--data", tr.Dir, "--seal-key", key, backup)
		tr.Restart(t)
		if found := tr.Call(t, "", "vpc-lattice", "ListServiceNetworks", nil)["items"].([]any); len(found) != want {
			t.Errorf("%s: %v, want %d", backup, found, want)
		}
		events := tr.Call(t, "", "logs", "FilterLogEvents", map[string]any{"logGroupName": "calls"})["events"].([]any)
		if len(events) != 1 || events[0].(map[string]any)["message"] != "kept" {
			t.Errorf("%s: log events %v", backup, events)
		}
		if got := tr.Shell(t, "", "aws s3 cp s3://kept/o -"); got != "an object\n" {
			t.Errorf("%s: object %q", backup, got)
		}
		tr.Kill()
	}
}
