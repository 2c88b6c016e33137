//go:build thorough

package trellistest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/lab"
)

// byHandTimeout bounds a run of docs/guide.md, whose targets need some health checks.
const byHandTimeout = 3 * time.Minute

// TestGuideByHand copies every command of docs/guide.md into a shell, and changes only what other tests on this
// machine would run into: the address of the API, the ids of VPCs, and where programs are.
func TestGuideByHand(t *testing.T) {
	t.Parallel() // most of it is waiting for clients
	text, err := os.ReadFile(filepath.Join("..", "docs", "guide.md"))
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("set -eu\n")
	for _, block := range regexp.MustCompile("(?s)```bash\n(.*?)```").FindAllSubmatch(text, -1) {
		script.Write(block[1])
	}
	// Trellis ends before the test does: its background processes hold the output open.
	script.WriteString("kill %1; wait %1\n")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := ln.Addr().String()
	ln.Close()
	id := func() string { return trellis.RandomHex(17) }
	commands := strings.NewReplacer("make build\n", "", "make tools\n", "",
		"serve --data", "serve --listen "+listen+" --data", "http://127.0.0.1:4780", "http://"+listen,
		".build/trellis", Program(t), ".cache/boto3/bin/python", filepath.Join(venv(t, "boto3"), "bin", "python"),
		"vpc-0aa11bb22cc33dd44", "vpc-"+id(), "vpc-0client1111aaaa22", "vpc-"+id()).Replace(script.String())
	ctx, cancel := context.WithTimeout(t.Context(), byHandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", commands)
	cmd.Dir = t.TempDir()
	cmd.Env = append(lab.Environment(os.Environ()), "PATH="+awsPath(t)+":"+os.Getenv("PATH"))
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"\nunsigned=403\n", "\nHTTP/1.1 200 OK\n", "\n200    status  200\n180    body    orders-v1\n20     body    orders-v2\n",
		"\n200 orders-v1\n", "\norders-db\n", `"status": "Complete"`, "/v1/orders/42"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}
