package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// asProgram makes this test binary the trellis program: TestMain then runs main.
const asProgram = "TRELLIS_TEST_AS_PROGRAM"

// TestMain runs the tests, or is the program that the tests run.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// ran is how a run of the program ended.
type ran struct {
	code           int
	stdout, stderr string
}

// run runs the program in an empty directory with nothing in its environment but env.
func run(t *testing.T, env []string, args ...string) ran {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{asProgram + "=1", "HOME=" + cmd.Dir, "PATH=" + os.Getenv("PATH")}, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("from standard input\n"), &stdout, &stderr
	err = cmd.Run()
	if exited := new(exec.ExitError); err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// wantFailure checks an exit code, that nothing was printed as a result, and what was said.
func wantFailure(t *testing.T, got ran, code int, said ...string) {
	t.Helper()
	if got.code != code {
		t.Errorf("exit code %d, want %d\n%s", got.code, code, got.stderr)
	}
	if got.stdout != "" {
		t.Errorf("standard output has %q", got.stdout)
	}
	for _, s := range said {
		if !strings.Contains(got.stderr, s) {
			t.Errorf("%q is not said in\n%s", s, got.stderr)
		}
	}
}

// TestUsage tries wrong arguments: exit code 2, the cause, and where to read on.
func TestUsage(t *testing.T) {
	for _, c := range []struct{ args, said string }{
		{"nosuch", `no verb "nosuch"`},
		{"serv", "did you mean serve?"},
		{"--nosuch", "unknown flag: --nosuch"},
		{"account nosuch", `no verb "nosuch"`},
		{"account create", "--name is missing"},
		{"account create --name a b", `"b" is one argument too many`},
		{"account create --name a --id 12", "want 12 digits"},
		{"account create --name a -o xml", "want text or json"},
		{"ca a", `"a" is one argument too many`},
		{"account credentials", "the id of an account"},
		{"account credentials 12", "12 digits"},
		{"apply --yes", "-f is missing"},
		{"apply -f x", "apply with --yes"},
		{"apply -f x --yes -o xml", "want table, json or yaml"},
		{"export --kind Nosuch", "want one of Organization"},
		{"export a", `"a" is one argument too many`},
		{"import-aws --kind Nosuch", "want one of Organization"},
		{"account credentials 444455556666 -o xml", "want env or json"},
		{"check -o xml", "want table or json"},
		{"serve --listen nonsense --region x", "--region"},
		{"serve extra", "too many"},
		{"serve --log-level loud", "loud"},
		{"up --scenario nosuch", "there are four-accounts, orders"},
		{"lab", "a scenario: four-accounts, orders"},
		{"lab nosuch", "there are four-accounts, orders"},
		{"exec true", "--vpc"},
		{"exec --vpc vpc-0", "name a command"},
		{"exec --account 1 --vpc vpc-0 true", "12 digits"},
		{"request", "a URL"},
		{"request nonsense", "http://HOST/PATH"},
		{"request ftp://h/", "http://HOST/PATH"},
		{"request -o xml http://h/", "want text or json"},
		{"request --count 0 http://h/", "want 1 or more"},
		{"request -H nonsense http://h/", "name: value"},
		{"request -X () http://h/", "want a method"},
		{"echo --listen nonsense", "want address:port"},
	} {
		t.Run(c.args, func(t *testing.T) {
			wantFailure(t, run(t, nil, strings.Fields(c.args)...), exitUsage, c.said, "--help")
		})
	}
}

// TestHelp asks every verb for its help, which goes to standard output and shows every flag.
func TestHelp(t *testing.T) {
	for _, cmd := range rootCommand().Commands() {
		got := run(t, nil, cmd.Name(), "--help")
		if got.code != 0 || !strings.Contains(got.stdout, "Usage:") || got.stderr != "" {
			t.Errorf("%s --help: %+v", cmd.Name(), got)
		}
	}
	if got := run(t, nil); got.code != 0 || !strings.Contains(got.stdout, "Available Commands:") {
		t.Errorf("no arguments: %+v", got)
	}
	if got := run(t, nil, "--version"); got.code != 0 || !strings.HasPrefix(got.stdout, "trellis version ") {
		t.Errorf("--version: %+v", got)
	}
}

// TestVerbsAreDocumented holds docs/cli.md against the verbs that there are.
func TestVerbsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range rootCommand().Commands() {
		if !slices.Contains([]string{"help", "completion"}, cmd.Name()) && !strings.Contains(string(text), "| `"+cmd.Name()) {
			t.Errorf("docs/cli.md has no row for %s", cmd.CommandPath())
		}
	}
}

// TestClientsWithoutTrellis asks an address where nobody listens, and a Trellis that was never started: both
// say what to do next.
func TestClientsWithoutTrellis(t *testing.T) {
	keys := []string{"AWS_ACCESS_KEY_ID=AKIAX", "AWS_SECRET_ACCESS_KEY=x"}
	wantFailure(t, run(t, keys, "account", "create", "--name", "a", "--endpoint", "http://"+nobody(t)), exitFailed, "connection refused", "trellis serve")
	wantFailure(t, run(t, nil, "account", "create", "--name", "a"), exitFailed, "no credentials at .trellis/credentials", "--credentials")
	garbage := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(garbage, []byte("garbage\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, run(t, nil, "lab", "orders", "--credentials", garbage), exitFailed, "no access key for the profile default")
	wantFailure(t, run(t, []string{"AWS_SHARED_CREDENTIALS_FILE=" + garbage, "AWS_PROFILE=other"}, "lab", "orders"), exitFailed, "no access key for the profile other")
}

// TestDiffErrors gives wrong arguments of diff the exit code 1: 2 says that files and state differ.
func TestDiffErrors(t *testing.T) {
	for _, c := range []struct{ args, said string }{
		{"diff", "-f is missing"},
		{"diff --nosuch", "unknown flag: --nosuch"},
		{"diff a", `"a" is one argument too many`},
		{"diff -f nosuch.yaml", "nosuch.yaml: no such file"},
	} {
		wantFailure(t, run(t, nil, strings.Fields(c.args)...), exitFailed, c.said)
	}
}
