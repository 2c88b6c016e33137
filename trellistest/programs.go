package trellistest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// program is the trellis program for all tests of a process.
var program = sync.OnceValues(func() (path string, err error) {
	dir, err := os.MkdirTemp("", "trellis-program-")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "trellis")
	if err := buildProgram(path); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("build trellis: %w", err)
	}
	return path, nil
})

// buildProgram builds the program and copies it to a path. What is built stays below .build: linking takes seconds, and go
// build leaves a program alone that is up to date. The processes of all packages' tests share it.
func buildProgram(path string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	built := filepath.Join(root, ".build", "test", "trellis")
	if err := os.MkdirAll(filepath.Dir(built), 0o755); err != nil {
		return err
	}
	lock, err := os.Create(built + ".lock")
	if err != nil {
		return err
	}
	defer lock.Close() // which unlocks
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	if out, err := exec.Command("go", "build", "-o", built, "github.com/trellis-project/trellis/cmd/trellis").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	from, err := os.Open(built)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// moduleRoot is where go.mod is.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// Program returns the path of the trellis program, built from this source.
func Program(t testing.TB) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// RemoveProgram removes what Program built; call it at the end of TestMain.
func RemoveProgram() {
	if path, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
}

// tools is a directory of what `make tools` installs.
func tools(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("TRELLIS_VENVS")
	if root == "" {
		module, err := moduleRoot()
		if err != nil {
			t.Fatal(err)
		}
		root = filepath.Join(module, ".cache")
	}
	return filepath.Join(root, name)
}

// venv is the directory of a Python environment that `make tools` installs.
func venv(t testing.TB, name string) string {
	t.Helper()
	dir := tools(t, name)
	if _, err := os.Stat(filepath.Join(dir, "bin", "python3")); err != nil {
		t.Fatalf("no Python environment at %s: run `make tools`", dir)
	}
	return dir
}
