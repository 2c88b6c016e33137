package vpc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// stateDir holds a folder for each VPC and instance of this machine: who made it, and an instance's resolv.conf.
const stateDir = "/run/trellis"

// owner is who made a namespace, so that two Trellises on one machine leave each other's alone.
type owner struct {
	pid     int
	started string // when the process started, in clock ticks since boot: ids of processes are used again
	dir     string // data directory
}

// self is this process as an owner.
func self(dir string) owner {
	if abs, err := filepath.Abs(dir); err == nil && dir != "" {
		dir = abs
	}
	return owner{os.Getpid(), startOf(os.Getpid()), dir}
}

// startOf is when a process started (proc(5), field 22 of stat), empty when there is no such process.
func startOf(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// The second field is the command's name in parentheses, which may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	return fields[19]
}

// ownerPath is the file that names the owner of a VPC or instance.
func ownerPath(id string) string { return filepath.Join(stateDir, id, "owner") }

// making begins the names of folders that are about to become those of VPCs and instances; the id of the process that makes
// them follows.
const making = ".making-"

// write makes the owner that of a VPC or instance. A folder appears with its owner in it, so that nobody's are left by who is
// killed here.
func (o owner) write(id string) error {
	text := fmt.Sprintf("pid %d\nstarted %s\ndir %s\n", o.pid, o.started, o.dir)
	folder := filepath.Join(stateDir, id)
	if _, err := os.Stat(folder); err == nil {
		if err := writeFile(ownerPath(id), text); err != nil {
			return fmt.Errorf("write owner of %s: %w", id, err)
		}
		return nil
	}
	if err := os.MkdirAll(stateDir, 0o755); err != nil {
		return fmt.Errorf("make folder of %s: %w", id, err)
	}
	tmp, err := os.MkdirTemp(stateDir, making+strconv.Itoa(o.pid)+"-")
	if err != nil {
		return fmt.Errorf("make folder of %s: %w", id, err)
	}
	if err := errors.Join(os.Chmod(tmp, 0o755), os.WriteFile(filepath.Join(tmp, "owner"), []byte(text), 0o644), os.Rename(tmp, folder)); err != nil {
		os.RemoveAll(tmp)
		return fmt.Errorf("write owner of %s: %w", id, err)
	}
	return nil
}

// dropUnmade removes the folders that processes were about to make when they ended.
func dropUnmade() {
	left, _ := filepath.Glob(filepath.Join(stateDir, making+"*")) // the pattern is a right one
	for _, folder := range left {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), making), "-")
		if n, err := strconv.Atoi(pid); err != nil || startOf(n) == "" {
			os.RemoveAll(folder)
		}
	}
}

// writeFile replaces a file in one step.
func writeFile(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// readOwner tells who made a VPC's or instance's namespace; the zero owner when nobody says.
func readOwner(id string) (owner, error) {
	b, err := os.ReadFile(ownerPath(id))
	if errors.Is(err, os.ErrNotExist) {
		return owner{}, nil
	}
	if err != nil {
		return owner{}, fmt.Errorf("read owner of %s: %w", id, err)
	}
	var o owner
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch name {
		case "pid":
			o.pid, _ = strconv.Atoi(value)
		case "started":
			o.started = value
		case "dir":
			o.dir = value
		}
	}
	return o, nil
}

// alive tells whether the process still runs.
func (o owner) alive() bool { return o.pid > 0 && o.started != "" && startOf(o.pid) == o.started }

// same tells whether other is the same Trellis, now or in a former life. Those that do not tell their data directory are only
// the same while they live.
func (o owner) same(other owner) bool {
	return o == other || o.dir != "" && o.dir == other.dir
}

// mayTake tells whether what other made can become o's: other is the same Trellis, or has ended.
func (o owner) mayTake(other owner) bool { return o.same(other) || !other.alive() }

// mayRemove tells whether what other left, and o has no use for, can go: other is the same Trellis, or has ended and its
// data directory is gone too, so that it will not come back for it.
func (o owner) mayRemove(other owner) bool {
	if o.same(other) {
		return true
	}
	if other.alive() {
		return false
	}
	if other.dir == "" {
		return true
	}
	_, err := os.Stat(other.dir)
	return errors.Is(err, os.ErrNotExist)
}

// leftovers are the ids of namespaces that o may remove, unless they are wanted.
func (o owner) leftovers(wanted func(id string) bool) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(netnsDir, namePrefix+"*"))
	if err != nil {
		return nil, err
	}
	folders, err := filepath.Glob(filepath.Join(stateDir, "*", "owner"))
	if err != nil {
		return nil, err
	}
	dropUnmade()
	seen := map[string]bool{}
	for _, n := range names {
		seen[strings.TrimPrefix(filepath.Base(n), namePrefix)] = true
	}
	for _, f := range folders {
		if id := filepath.Base(filepath.Dir(f)); !strings.HasPrefix(id, making) {
			seen[id] = true
		}
	}
	var ids []string
	for id := range seen {
		if wanted(id) {
			continue
		}
		other, err := readOwner(id)
		if err != nil {
			return nil, err
		}
		if o.mayRemove(other) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
