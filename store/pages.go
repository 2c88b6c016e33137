package store

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// letGoPages takes the pages of the embedded etcd's data file out of this process' memory. etcd maps the file and has all of it
// read when it starts, and whoever follows the store reads all of it once more. The pages stay in the system's cache for as
// long as nothing else needs that memory, and are mapped again where they are looked at. It does nothing for an etcd elsewhere.
func (e *engine) letGoPages() error {
	if e.etcd == nil {
		return nil
	}
	// For as long as somebody reads, the file is mapped where it is.
	tx := e.etcd.Server.Backend().ConcurrentReadTx()
	tx.RLock()
	defer tx.RUnlock()
	from, to, err := mappingOf(filepath.Join(e.etcd.Config().Dir, "member", "snap", "db"))
	if err != nil || from == to {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED); errno != 0 { // a file that is shared loses nothing by it
		return fmt.Errorf("let pages go: %w", errno)
	}
	return nil
}

// mappingOf is where a file is mapped in this process, to be read and shared with others; from and to are equal when it isn't.
// proc(5) has the format of maps.
func mappingOf(path string) (from, to uintptr, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, fmt.Errorf("find the mapping of a file: %w", err)
	}
	inode := strconv.FormatUint(info.Sys().(*syscall.Stat_t).Ino, 10)
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return 0, 0, fmt.Errorf("find the mapping of a file: %w", err)
	}
	defer maps.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		f := strings.Fields(lines.Text()) // from-to, rights, offset, device, inode, path
		if len(f) < 6 || f[1] != "r--s" || f[4] != inode || filepath.Base(f[5]) != filepath.Base(path) {
			continue
		}
		if _, err := fmt.Sscanf(f[0], "%x-%x", &from, &to); err != nil {
			return 0, 0, fmt.Errorf("find the mapping of a file: %w", err)
		}
		return from, to, nil
	}
	return 0, 0, lines.Err()
}
