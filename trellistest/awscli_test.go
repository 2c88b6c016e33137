package trellistest

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// awsProgram keeps the aws CLI loaded.
//
//go:embed testdata/aws.py
var awsProgram string

// awsSocket names the variable that tells a process of the tests in the role of the aws CLI where that is loaded.
const awsSocket = "TRELLISTEST_AWS"

// awsCLI is the aws CLI for all tests of a process.
var awsCLI struct {
	once sync.Once
	dir  string // to be on the PATH: it has the command aws
	err  error
	stop func()
}

// awsPath is a directory with the command aws: the unmodified aws CLI, which is loaded once for all commands of all tests.
// stopAWS ends it.
func awsPath(t testing.TB) string {
	t.Helper()
	python := filepath.Join(venv(t, "awscli"), "bin", "python3")
	awsCLI.once.Do(func() { awsCLI.err = startAWS(python) })
	if awsCLI.err != nil {
		t.Fatalf("load the aws CLI: %v", awsCLI.err)
	}
	return awsCLI.dir
}

// startAWS loads the aws CLI and makes its command.
func startAWS(python string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "trellis-aws-")
	if err != nil {
		return err
	}
	awsCLI.dir, awsCLI.stop = dir, func() { os.RemoveAll(dir) }
	socket := filepath.Join(dir, "socket")
	command := fmt.Sprintf("#!/bin/sh\n%s=aws %s=%s exec %s \"$@\"\n", roleVariable, awsSocket, socket, self)
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(command), 0o755); err != nil {
		return err
	}
	cmd := exec.Command(python, "-c", awsProgram, socket)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	awsCLI.stop = func() {
		in.Close()
		cmd.Wait()
		os.RemoveAll(dir)
	}
	_, err = bufio.NewReader(out).ReadString('\n')
	return err
}

// stopAWS ends what awsPath began.
func stopAWS() {
	if awsCLI.stop != nil {
		awsCLI.stop()
	}
}

// runAWS is the command aws: it hands itself to where the CLI is loaded, and ends as that says.
func runAWS(args []string) (code int, err error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: os.Getenv(awsSocket), Net: "unix"})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	var command struct {
		Dir  string   `json:"dir"`
		Args []string `json:"args"`
		Env  []string `json:"env"`
	}
	command.Dir, command.Args = dir, append([]string{}, args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, roleVariable+"=") && !strings.HasPrefix(v, awsSocket+"=") {
			command.Env = append(command.Env, v)
		}
	}
	text, err := json.Marshal(command)
	if err != nil {
		return 0, err
	}
	if _, _, err := conn.WriteMsgUnix(text[:1], unix.UnixRights(0, 1, 2), nil); err != nil {
		return 0, err
	}
	if _, err := conn.Write(append(text[1:], '\n')); err != nil {
		return 0, err
	}
	said, err := io.ReadAll(conn)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(said)))
}

// Shell runs a script with the unmodified aws CLI on its PATH and an account's credentials, and returns what
// it printed. env adds variables, each NAME=value.
func (tr *Trellis) Shell(t testing.TB, account, script string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Env = append(tr.environment(t, account), "PATH="+awsPath(t)+":"+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, env...)
	return output(t, cmd)
}
