//go:build thorough

package signers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// signer is one of those whose requests must be accepted as they are.
type signer struct {
	name       string
	regionSet  string // signs with SigV4A
	command    func(t *testing.T) *exec.Cmd
	normalizes bool              // signs the path without doubled slashes and dot segments, and sends it with them
	keeps      []string          // cases whose path it does not normalize all the same
	refused    map[string]string // cases whose signature says another request than what is sent, and why
	unable     map[string]string // cases that it does not sign, and why
}

// Where the programs are.
const programs = "../testdata/signers/"

// python runs a program with the signers' Python.
func python(name string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd { return exec.Command(cached(t, "python/bin/python3"), programs+name) }
}

// smithy runs the AWS SDK for JavaScript.
func smithy(t *testing.T) *exec.Cmd {
	cmd := exec.Command("node", programs+"smithy.mjs")
	cmd.Env = append(os.Environ(), "NODE_FOLDER="+cached(t, "node"))
	return cmd
}

// java runs the AWS SDK for Java.
func java(t *testing.T) *exec.Cmd {
	return exec.Command("java", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(cached(t, "java"), "*"), programs+"java/Sign.java")
}

// built runs a program that `make tools` builds.
func built(name string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd { return exec.Command(cached(t, name)) }
}

// Why a case is refused or not signed.
const (
	plus   = "a plus sign of the query is signed as %2B, and sent as it is: another parameter for whoever decodes it as a space"
	once   = "the SDK holds one value for each header"
	method = "the SDK knows only the usual methods"
)

// noPresign are the cases that are presigned, for who does not do that, and more.
func noPresign(more map[string]string) map[string]string {
	for _, c := range []string{"", ": path", ": query", ": token", ": header"} {
		more["presigned"+c] = "it does not presign, or not with SigV4A"
	}
	return more
}

// signers are all.
var signers = []signer{
	{name: "botocore", command: python("boto.py"), normalizes: true},
	{name: "aws-sdk-go-v2", command: built("go/signer")},
	{name: "awscrt", command: python("crt.py"), normalizes: true, refused: map[string]string{"query: plus": plus}},
	{name: "awscrt-sigv4a", command: python("crt.py"), regionSet: "*", normalizes: true, refused: map[string]string{"query: plus": plus}},
	{name: "smithy", command: smithy, normalizes: true, unable: map[string]string{"header: repeated": once}},
	{name: "smithy-sigv4a", command: smithy, regionSet: "us-*,eu-west-1", normalizes: true, unable: noPresign(map[string]string{"header: repeated": once})},
	{name: "java", command: java, normalizes: true, keeps: []string{"path: above the root"}, unable: map[string]string{"method: PURGE": method}},
	{name: "java-sigv4a", command: java, regionSet: "*", normalizes: true,
		unable: map[string]string{"method: PURGE": method, "query: both": "the SDK's adapter of the Common Runtime fails at a key that has no value"}},
	{name: "curl", command: python("curl.py"), unable: noPresign(map[string]string{}),
		refused: map[string]string{"query: encoded plus": "%2B is signed as a space, and sent as it is"}},
	{name: "rust", command: built("rust/signer"), normalizes: true},
	{name: "rust-sigv4a", command: built("rust/signer"), regionSet: "eu-*", normalizes: true},
}
