//go:build thorough

package vpc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// oddPeer is a program that does odd things with its sockets.
type oddPeer struct {
	name    string
	command []string // without role, address and port
	style   string
	joins   string // "yes": its sockets never block, so they take part; "no", or "first" until they do
	words   []string
}

// everywhereWords are what all peers know, cWords what only the one in C knows:
//
//	echo N     sends N bytes back as they come
//	half N     sends N bytes, closes its sending side and reads to the end
//	reset N    sends N bytes, and resets the connection when it is told
//	aborted N  sends a byte and reads to the end, which is a reset
//	unread N   closes when it has read one of N bytes
//	slow N     reads N bytes, 512 at a time, into a small buffer
//	bytes N    sends N bytes, each by a call of its own
//	peek N     looks at N bytes before it reads them
//	waitall N  reads N bytes with MSG_WAITALL
//	queued N   asks how many bytes wait before it reads, N bytes
//	file N     sends N bytes by sendfile(2)
//	vector N   sends N bytes by writev(2)
//	signal N   is woken by a signal with SA_RESTART while it reads N bytes
//	patience N reads with SO_RCVTIMEO, too early, and again
var (
	everywhereWords = []string{"echo 10", "echo 3000000", "half 20000", "half 1", "reset 1000", "aborted 0", "unread 10000", "slow 60000", "bytes 3000"}
	cWords          = append([]string{"peek 300000", "waitall 500000", "queued 100000", "file 500000", "vector 5000", "signal 10", "patience 1"}, everywhereWords...)
)

// oddPeers are the peers, for each role. Those in Node and Java take part where these are.
func oddPeers(t *testing.T) []oddPeer {
	binary := filepath.Join(t.TempDir(), "odd")
	if out, err := exec.Command("gcc", "-O1", "-o", binary, "testdata/odd/odd.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	peers := []oddPeer{
		{"python", []string{"python3", "testdata/odd/odd.py"}, "block", "no", everywhereWords},
		{"python", []string{"python3", "testdata/odd/odd.py"}, "timeout", "yes", everywhereWords},
		{"python", []string{"python3", "testdata/odd/odd.py"}, "asyncio", "yes", everywhereWords},
	}
	for style, joins := range map[string]string{"block": "no", "toggle": "first", "poll": "yes", "select": "yes", "epoll": "yes", "edge": "yes"} {
		words := cWords
		if style == "toggle" { // it may fail in these as docs/decisions/0009-socket-acceleration.md tells
			words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "signal 10" || w == "aborted 0" || w == "waitall 500000" })
		}
		peers = append(peers, oddPeer{"c", []string{binary}, style, joins, words})
	}
	if _, err := exec.LookPath("node"); err == nil {
		peers = append(peers, oddPeer{"node", []string{"node", "testdata/odd/odd.js"}, "events", "yes", everywhereWords})
	}
	if _, err := exec.LookPath("javac"); err == nil {
		classes := t.TempDir()
		if out, err := exec.Command("javac", "-d", classes, "testdata/odd/Odd.java").CombinedOutput(); err != nil {
			t.Fatalf("javac: %v\n%s", err, out)
		}
		java := []string{"java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classes, "Odd"}
		peers = append(peers, oddPeer{"java", java, "block", "no", everywhereWords}, oddPeer{"java", java, "nio", "yes", everywhereWords})
	}
	return peers
}

// TestOddPeers has programs in several languages do odd things with their sockets, on both legs, and compares what they and the
// node see on joined connections with what they see on ordinary ones.
//
// TRELLIS_ODD_ROUNDS=N does each thing N times.
func TestOddPeers(t *testing.T) {
	rounds := 1
	if n, err := strconv.Atoi(os.Getenv("TRELLIS_ODD_ROUNDS")); err == nil {
		rounds = n
	}
	for _, p := range oddPeers(t) {
		for _, role := range []string{"listen", "connect"} {
			t.Run(p.name+" "+p.style+" "+role, func(t *testing.T) {
				t.Parallel()
				plain, _ := oddTalk(t, p, role, 0, 1)
				got, stats := oddTalk(t, p, role, TargetLeg|ClientLeg, rounds)
				for n, g := range got {
					if want := plain[n%len(plain)]; g != want {
						t.Errorf("joined:\n%s\nplain:\n%s", g, want)
					}
				}
				joined, messages := stats.Joined.Target+stats.Joined.Client, stats.Messages.Target+stats.Messages.Client
				t.Logf("%d of %d connections joined, %d messages past TCP", joined, len(got)+warmups, messages)
				if p.joins == "yes" && messages == 0 || p.joins == "no" && joined > 0 {
					t.Errorf("takes part: want %s: %+v", p.joins, stats)
				}
			})
		}
	}
}

// warmups are how many connections show a peer's manners.
const warmups = 2

// oddTalk runs one peer in one role, and returns what was seen for each of its words.
func oddTalk(t *testing.T, p oddPeer, role string, legs Legs, rounds int) (seen []string, stats AccelerationStats) {
	l := newLabWith(t, Options{RunDir: t.TempDir(), Accelerate: legs})
	v, s := l.vpc("10.20.0.0/16")
	i := l.instance(s, "10.20.0.10", l.group(v, everything(false), trellis.SecurityGroupRule{Egress: true, Protocol: "-1", CIDR: everywhere4}))
	l.associate(v, 40)
	l.apply()
	at := netip.MustParseAddrPort("10.20.0.10:8080")
	var ln net.Listener
	if role == "connect" {
		at = netip.MustParseAddrPort("169.254.171.40:8080")
		var err error
		if ln, err = l.m.Listen(v.ID, at); err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
	}
	cmd := exec.Command(p.command[0], append(p.command[1:], role, at.Addr().String(), "8080", p.style)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := Start(i.ID, cmd); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 16)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	defer func() {
		cmd.Process.Kill()
		out.Close() // a child of it may hold the other end; it ends with the instance
		for range lines {
		}
		cmd.Wait()
	}()
	next := func() string {
		select {
		case l, ok := <-lines:
			if ok {
				return l
			}
			return "ended"
		case <-time.After(atOnce):
			return "nothing for long"
		}
	}
	if l := next(); l != "ready" {
		t.Fatalf("the peer says %q", l)
	}
	connect := func() *net.TCPConn {
		var c net.Conn
		var err error
		if role == "connect" {
			ln.(*net.TCPListener).SetDeadline(time.Now().Add(atOnce))
			c, err = ln.Accept()
		} else {
			c, err = l.m.Dial(t.Context(), v.ID, at)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(atOnce))
		return c.(*net.TCPConn)
	}
	for range warmups {
		oddWord(connect(), role, "echo 10")
		next()
	}
	for range rounds {
		for _, word := range p.words {
			node := oddWord(connect(), role, word)
			seen = append(seen, fmt.Sprintf("  node: %s\n  peer: %s", node, next()))
		}
	}
	if legs != 0 {
		if stats, err = l.m.Acceleration(); err != nil {
			t.Fatal(err)
		}
	}
	return seen, stats
}

// oddWord has a conversation as the node, closes the connection and tells what it saw.
func oddWord(c *net.TCPConn, role, word string) string {
	defer c.Close()
	r := bufio.NewReader(c)
	if role == "listen" {
		c.Write([]byte("hello\n"))
	}
	if ok, err := r.ReadString('\n'); ok != "ok\n" {
		return fmt.Sprintf("instead of ok: %q, %s", ok, ending(err))
	}
	command, number, _ := strings.Cut(word, " ")
	n, _ := strconv.Atoi(number)
	if _, err := c.Write([]byte(word + "\n")); err != nil {
		return "word: " + ending(err)
	}
	switch command {
	case "echo":
		return oddEcho(c, r, n)
	case "half":
		got := oddPattern(r, n) + "; " + oddRest(r)
		for range 50 { // after the peer's FIN was acknowledged
			if _, err := c.Write(make([]byte, 100)); err != nil {
				return got + "; write: " + ending(err)
			}
		}
		return got
	case "reset":
		got := oddPattern(r, n)
		c.Write([]byte("x"))
		return got + "; " + oddRest(r)
	case "aborted":
		io.ReadFull(r, make([]byte, 1)) // it has read all; together with a reset libuv takes bytes for the end
		c.SetLinger(0)
		return "aborted"
	case "unread":
		c.Write(make([]byte, n))
		got := oddRest(r)
		if got == "0 bytes, then end" {
			got = "0 bytes, then ECONNRESET" // the one known difference, docs/decisions/0009-socket-acceleration.md
		}
		return got
	case "slow", "peek", "waitall", "queued":
		return oddSend(c, n) + "; " + oddRest(r)
	case "bytes", "vector", "file":
		got := oddPattern(r, n)
		c.CloseWrite()
		return got + "; " + oddRest(r)
	case "signal":
		io.ReadFull(r, make([]byte, 1)) // the signal came
		c.Write(make([]byte, n))
		c.CloseWrite()
		return oddRest(r)
	case "patience":
		io.ReadFull(r, make([]byte, 1))
		c.Write(make([]byte, n))
		c.CloseWrite()
		return oddRest(r)
	}
	return "unknown word"
}

// ending is how a read or write ended.
func ending(err error) string {
	var errno syscall.Errno
	var timeout net.Error
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return "end"
	case errors.As(err, &errno) && errno == syscall.ECONNRESET:
		return "ECONNRESET"
	case errors.As(err, &errno) && errno == syscall.EPIPE:
		return "EPIPE"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "nothing for long"
	}
	return err.Error()
}

// oddRest reads to the end.
func oddRest(r io.Reader) string {
	n, err := io.Copy(io.Discard, r)
	return fmt.Sprintf("%d bytes, then %s", n, ending(err))
}

// oddPattern reads n bytes that count up.
func oddPattern(r io.Reader, n int) string {
	b := make([]byte, n)
	got, err := io.ReadFull(r, b)
	for i := range b[:got] {
		if b[i] != byte(i%251) {
			return fmt.Sprintf("byte %d is wrong", i)
		}
	}
	if err != nil {
		return fmt.Sprintf("%d of %d bytes, then %s", got, n, ending(err))
	}
	return fmt.Sprintf("%d bytes", got)
}

// oddSend writes n bytes in parts of all sizes, and closes the sending side.
func oddSend(c *net.TCPConn, n int) string {
	b, r := make([]byte, n), rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	for sent := 0; sent < n; {
		part := min(1+r.IntN(1<<r.IntN(17)), n-sent)
		if _, err := (patient{c}).Write(b[sent : sent+part]); err != nil {
			return fmt.Sprintf("sent %d, then %s", sent, ending(err))
		}
		sent += part
	}
	c.CloseWrite()
	return fmt.Sprintf("sent %d", n)
}

// oddEcho sends n bytes and reads as many at the same time.
func oddEcho(c *net.TCPConn, r io.Reader, n int) string {
	var wg sync.WaitGroup
	var sent string
	wg.Go(func() { sent = oddSend(c, n) })
	b := make([]byte, n)
	got, err := io.ReadFull(r, b)
	wg.Wait()
	for i := range b[:got] {
		if b[i] != byte(i*7+i>>8) {
			return fmt.Sprintf("byte %d is wrong", i)
		}
	}
	if err != nil {
		return fmt.Sprintf("%s; %d of %d back, then %s", sent, got, n, ending(err))
	}
	return sent + "; same back; " + oddRest(r)
}
