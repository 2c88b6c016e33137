//go:build thorough

package trellistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/daemon"
)

// TestKill kills Trellis and starts it again, and finds what is in the kernel as it was: networks, what runs in instances,
// and traffic. What the store must survive is TestKills.
func TestKill(t *testing.T) {
	t.Parallel()
	tr := StartProcess(t)
	makeRole(t, &tr.Trellis, "", "caller")
	s := makeService(t, &tr.Trellis)
	tr.Kill()
	tr.Restart(t)
	tr.Run(t, s.targets.instances[0], Program(t), "echo", "--listen", ":8081", "--name", "again") // the instance is usable
	s.expect(t, &tr.Trellis, "200", "orders")
}

// TestFullDisk fills the disk that holds the data: writes fail with an error, nothing that was acknowledged
// is lost or wrong, and the data plane goes on with what it has.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=200m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	tr := Start(t, func(c *daemon.Config) { c.Data = filepath.Join(disk, "data") })
	s := makeService(t, tr)
	fill(t, filepath.Join(disk, "fill"))
	refused, name := false, ""
	for i := 0; i < 2000 && !refused; i++ {
		name = fmt.Sprintf("n%d-%s", i, strings.Repeat("x", 40))
		_, err := tr.Try(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": name})
		refused = err != nil
		if e, ok := err.(*trellis.Error); err != nil && (!ok || e.Status < 500) {
			t.Errorf("a full disk gives %v, want a 5xx of the API", err)
		}
	}
	if !refused {
		t.Fatal("2000 writes on a full disk were acknowledged")
	}
	s.expect(t, tr, "200", "orders")
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block)
	}
}
