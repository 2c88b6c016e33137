package vpc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// netnsDir is where ip-netns(8) keeps names of network namespaces.
const netnsDir = "/run/netns"

// namePrefix begins the names of all of Trellis' namespaces.
const namePrefix = "trellis-"

// NamespaceName is the name of the namespace of a VPC or instance, as ip-netns(8) shows it.
func NamespaceName(id string) string { return namePrefix + id }

// errGone says that a namespace was removed meanwhile.
var errGone = errors.New("the namespace is gone")

// namespace is an open network namespace.
type namespace struct {
	name string
	mu   sync.RWMutex // held for reading while the descriptor is in use
	file *os.File     // nil once closed
}

// namespacePath is where a namespace's name lies.
func namespacePath(id string) string { return filepath.Join(netnsDir, NamespaceName(id)) }

// checkID refuses what cannot be an id of EC2's: ids become parts of paths.
func checkID(id string) error {
	for _, c := range id {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return fmt.Errorf("%q is not an id", id)
		}
	}
	if id == "" {
		return errors.New("an id is empty")
	}
	return nil
}

// openNamespace opens an existing namespace. The error is os.ErrNotExist when there is none, which a plain file that a killed
// process left without a namespace counts as.
func openNamespace(id string) (*namespace, error) {
	f, err := os.Open(namespacePath(id))
	if err != nil {
		return nil, err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		f.Close()
		return nil, fmt.Errorf("look at namespace %s: %w", f.Name(), err)
	}
	if fs.Type != unix.NSFS_MAGIC {
		f.Close()
		return nil, fmt.Errorf("namespace %s: %w", f.Name(), os.ErrNotExist)
	}
	return &namespace{name: NamespaceName(id), file: f}, nil
}

// createNamespace makes a new namespace and gives it its name.
func createNamespace(id string) (*namespace, error) {
	if err := prepareNetnsDir(); err != nil {
		return nil, err
	}
	path := namespacePath(id)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o444)
	if err != nil {
		return nil, fmt.Errorf("name namespace: %w", err)
	}
	f.Close()
	err = onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make network namespace: %w", err)
		}
		if err := unix.Mount(threadNamespace(), path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("name network namespace %s: %w", path, err)
		}
		return nil
	})
	if err != nil {
		os.Remove(path)
		return nil, err
	}
	ns, err := openNamespace(id)
	if err != nil {
		removeNamespace(id)
		return nil, err
	}
	return ns, nil
}

// threadNamespace is the path of the calling thread's network namespace.
func threadNamespace() string {
	return "/proc/self/task/" + strconv.Itoa(unix.Gettid()) + "/ns/net"
}

// prepareNetnsDir makes netnsDir a mount of its own that passes its mounts on, as ip-netns(8) does: a namespace that
// is removed here is then removed in every mount namespace, and one that wants none of them can unmount the folder.
func prepareNetnsDir() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", netnsDir, err)
	}
	dir, err := os.Open(netnsDir)
	if err != nil {
		return fmt.Errorf("open %s: %w", netnsDir, err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil { // ip-netns(8) takes the same lock
		return fmt.Errorf("lock %s: %w", netnsDir, err)
	}
	if err := unix.Mount("", netnsDir, "", unix.MS_SHARED|unix.MS_REC, ""); err == nil {
		return nil
	}
	if err := unix.Mount(netnsDir, netnsDir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount %s: %w", netnsDir, err)
	}
	if err := unix.Mount("", netnsDir, "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("share %s: %w", netnsDir, err)
	}
	return nil
}

// removeNamespace takes a namespace's name away. It ends when its last process and socket do. No namespace: no error.
func removeNamespace(id string) error {
	path := namespacePath(id)
	err := unix.Unmount(path, unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove namespace: %w", err)
	}
	return nil
}

// is tells whether a descriptor is of this namespace.
func (n *namespace) is(fd int) (bool, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.file == nil {
		return false, fmt.Errorf("look at %s: %w", n.name, errGone)
	}
	var own, other unix.Stat_t
	if err := errors.Join(unix.Fstat(int(n.file.Fd()), &own), unix.Fstat(fd, &other)); err != nil {
		return false, fmt.Errorf("look at %s: %w", n.name, err)
	}
	return own.Dev == other.Dev && own.Ino == other.Ino, nil
}

// close closes the descriptor once nobody uses it.
func (n *namespace) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.file != nil {
		n.file.Close()
		n.file = nil
	}
}

// visit is a stay of the calling goroutine's thread in a namespace. The thread is the goroutine's alone until leave.
type visit struct {
	ns   *namespace
	home int
	left bool
}

// enter takes the calling goroutine, on its thread, into the namespace. Go's net package then makes its sockets there.
func (n *namespace) enter(home *os.File) (visit, error) {
	n.mu.RLock()
	if n.file == nil {
		n.mu.RUnlock()
		return visit{}, fmt.Errorf("enter %s: %w", n.name, errGone)
	}
	runtime.LockOSThread()
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		n.mu.RUnlock()
		return visit{}, fmt.Errorf("enter %s: %w", n.name, err)
	}
	return visit{ns: n, home: int(home.Fd())}, nil
}

// leave takes the goroutine back home. When even repetition does not help (the kernel has no memory) the thread stays the
// goroutine's, so that it ends with it and no other goroutine ever runs in the wrong namespace.
func (v *visit) leave() error {
	if v.left {
		return nil
	}
	v.left = true
	defer v.ns.mu.RUnlock() // not before it is home: Run closes home when no namespace has visitors
	var err error
	for range 3 {
		if err = unix.Setns(v.home, unix.CLONE_NEWNET); err == nil {
			runtime.UnlockOSThread()
			return nil
		}
	}
	return fmt.Errorf("leave %s: %w", v.ns.name, err)
}

// within runs fn on a thread of its own inside the namespace; the thread ends with it.
func (n *namespace) within(fn func() error) error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.file == nil {
		return fmt.Errorf("enter %s: %w", n.name, errGone)
	}
	return onOwnThread(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter %s: %w", n.name, err)
		}
		return fn()
	})
}

// onOwnThread runs fn on a thread that ends after it, whatever fn did to the thread.
//
// A process' first thread never ends: Go would park it, in the namespace where fn left it, and whoever looks at the process
// would take that for the namespace of all of it. So fn runs on another one.
func onOwnThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			done <- onOwnThread(fn) // on another thread, since this one is taken
			runtime.UnlockOSThread()
			return
		}
		done <- fn() // never unlocked: the thread ends with the goroutine
	}()
	return <-done
}

// killTimeout bounds how long processes of a removed instance may take to end.
const killTimeout = 2 * time.Second

// killProcesses ends every process whose network namespace is this one, and waits for their end.
func (n *namespace) killProcesses() error {
	var want unix.Stat_t
	n.mu.RLock()
	if n.file == nil {
		n.mu.RUnlock()
		return nil
	}
	err := unix.Fstat(int(n.file.Fd()), &want)
	n.mu.RUnlock()
	if err != nil {
		return fmt.Errorf("look at namespace %s: %w", n.name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	for ctx.Err() == nil {
		found, err := killOnce(ctx, &want)
		if err != nil {
			return fmt.Errorf("end processes in %s: %w", n.name, err)
		}
		if !found {
			return nil
		}
	}
	return fmt.Errorf("processes in %s do not end", n.name)
}

// killOnce kills the processes that are in a namespace now and waits for them. Their children may have been born meanwhile.
func killOnce(ctx context.Context, ns *unix.Stat_t) (found bool, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false, err
	}
	self := os.Getpid()
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == self || !inNamespace(pid, ns) {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // ended meanwhile
		}
		// The id may have become another process' before it was opened, so look again.
		if inNamespace(pid, ns) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil {
			found = true
			deadline, _ := ctx.Deadline()
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			_, _ = unix.Poll(poll, max(0, int(time.Until(deadline).Milliseconds())))
		}
		unix.Close(fd)
	}
	return found, nil
}

// inNamespace tells whether a process is in a network namespace. One that has ended is in none.
func inNamespace(pid int, ns *unix.Stat_t) bool {
	var st unix.Stat_t
	err := unix.Stat("/proc/"+strconv.Itoa(pid)+"/ns/net", &st)
	return err == nil && st.Ino == ns.Ino && st.Dev == ns.Dev
}
