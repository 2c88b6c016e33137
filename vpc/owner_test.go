package vpc

import (
	"os"
	"testing"
)

func TestOwners(t *testing.T) {
	t.Parallel()
	here, gone := t.TempDir(), t.TempDir()+"/gone"
	me := self(here)
	dead := func(dir string) owner { return owner{1 << 30, "1", dir} }
	reborn := owner{os.Getpid(), "1", gone} // another process had this one's id
	live := owner{os.Getpid(), startOf(os.Getpid()), gone}
	for _, c := range []struct {
		what         string
		other        owner
		take, remove bool
	}{
		{"nobody", owner{}, true, true},
		{"itself", me, true, true},
		{"its own former process", dead(here), true, true},
		{"a live stranger", live, false, false},
		{"a dead stranger that may come back", dead(t.TempDir()), true, false},
		{"a dead stranger without data", dead(gone), true, true},
		{"a live stranger that does not tell its directory", owner{live.pid, live.started, ""}, false, false},
		{"a dead stranger that does not tell its directory", dead(""), true, true},
		{"a dead stranger whose process id lives", reborn, true, true},
	} {
		if got := me.mayTake(c.other); got != c.take {
			t.Errorf("take from %s: %v", c.what, got)
		}
		if got := me.mayRemove(c.other); got != c.remove {
			t.Errorf("remove what %s left: %v", c.what, got)
		}
	}
}

func TestOwnersWithoutDirectoryAreStrangers(t *testing.T) {
	t.Parallel()
	me := self("")
	parent := owner{os.Getppid(), startOf(os.Getppid()), ""}
	if me.mayTake(parent) || me.mayRemove(parent) {
		t.Error("two processes without a data directory take each other's")
	}
	if !me.mayTake(me) || !me.mayRemove(me) {
		t.Error("a process without a data directory does not know its own")
	}
}
