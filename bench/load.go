package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// loadResult is what wrk or h2load says.
type loadResult struct {
	requests, seconds float64
	p50, p99          float64 // µs
	refused           int     // answers that are neither 2xx nor 3xx, connections that failed, timeouts
}

// What wrk prints.
var (
	wrkCount   = regexp.MustCompile(`(\d+) requests in ([0-9.]+)(us|ms|s|m),`)
	wrkStatus  = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
	wrkErrors  = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	wrkLatency = regexp.MustCompile(`(50|99)%\s+([0-9.]+)(us|ms|s|m)`)
	wrkUnits   = map[string]float64{"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7} // in µs
)

// parseWrk reads wrk's report. Errors of reading are left out: that is how wrk counts the end of a connection whose
// answer didn't announce it.
func parseWrk(out string) (r loadResult, err error) {
	number := func(s string) float64 {
		n, e := strconv.ParseFloat(s, 64)
		err = errors.Join(err, e)
		return n
	}
	m := wrkCount.FindStringSubmatch(out)
	if m == nil {
		return r, fmt.Errorf("wrk said %q", out)
	}
	r.requests, r.seconds = number(m[1]), number(m[2])*wrkUnits[m[3]]/1e6
	for _, p := range wrkLatency.FindAllStringSubmatch(out, -1) {
		us := number(p[2]) * wrkUnits[p[3]]
		if p[1] == "50" {
			r.p50 = us
		} else {
			r.p99 = us
		}
	}
	if m := wrkStatus.FindStringSubmatch(out); m != nil {
		r.refused += int(number(m[1]))
	}
	if m := wrkErrors.FindStringSubmatch(out); m != nil {
		r.refused += int(number(m[1]) + number(m[3]) + number(m[4]))
	}
	return r, err
}

// wrk puts the contestant under load: as many connections, each with the next request as soon as the last is
// answered.
func (v *visit) wrk(ctx context.Context, url request, conns int, length time.Duration) (loadResult, usage, error) {
	args := onCore(loadCore, "wrk", "-t1", "-c"+strconv.Itoa(conns), "-d"+strconv.Itoa(max(int(length.Seconds()), 1))+"s", "--timeout", "5s", "--latency")
	for _, f := range append(v.c.fields(v.b, url.host), url.fields...) {
		args = append(args, "-H", f)
	}
	if url.upload > 0 {
		file, err := v.b.write("upload.lua", fmt.Sprintf("wrk.method = \"POST\"; wrk.body = string.rep(\"x\", %d)\n", url.upload))
		if err != nil {
			return loadResult{}, usage{}, err
		}
		args = append(args, "-s", file)
	}
	var r loadResult
	u, err := v.around(func() (time.Duration, error) {
		args = append(args, "http://"+v.c.addr()+url.path)
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		out, err := c.CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("wrk: %w\n%s", err, out)
		}
		if r, err = parseWrk(string(out)); err != nil {
			return 0, err
		}
		return c.ProcessState.UserTime() + c.ProcessState.SystemTime(), nil
	})
	if err == nil && (r.refused > 0 || r.requests == 0) {
		err = fmt.Errorf("wrk had %.0f answers in %.1f s, and %d failures", r.requests, r.seconds, r.refused)
	}
	return r, u, err
}

// request is what is asked for.
type request struct {
	host, path string
	fields     []string // besides the contestant's
	upload     int      // size of the body, by wrk
	body       []byte   // by h2load
}

// answered is what became of one request of an open loop.
type answered struct {
	due, took float64 // µs
	status    int     // 0: unanswered
}

// opened is what became of all of them.
type opened struct {
	answers    []answered
	reconnects int
	begun      time.Time // when due is 0
}

// openLoop makes requests at random moments at a rate. It calls f after the start, if there is one.
func (v *visit) openLoop(ctx context.Context, url request, rate float64, conns int, length time.Duration, f func() error) (o opened, u usage, err error) {
	file := v.b.dir + "/samples"
	args := onCore(loadCore, v.b.tools.Load, "open", "-to", v.c.addr(), "-path", url.path, "-rate", fmt.Sprint(rate),
		"-connections", strconv.Itoa(conns), "-time", length.String(), "-samples", file)
	for _, field := range v.c.fields(v.b, url.host) {
		args = append(args, "-H", field)
	}
	u, err = v.around(func() (time.Duration, error) {
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Env = append(os.Environ(), quiet...)
		var out, errs strings.Builder
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Start(); err != nil {
			return 0, err
		}
		if f != nil {
			err = f()
		}
		if e := errors.Join(err, c.Wait()); e != nil {
			return 0, fmt.Errorf("load: %w\n%s", e, errs.String())
		}
		var said struct {
			Reconnects int
			Start      int64
		}
		if err := json.Unmarshal([]byte(out.String()), &said); err != nil {
			return 0, fmt.Errorf("load said %q: %w", out.String(), err)
		}
		o.reconnects, o.begun = said.Reconnects, time.Unix(0, said.Start)
		return c.ProcessState.UserTime() + c.ProcessState.SystemTime(), nil
	})
	if err != nil {
		return o, u, err
	}
	in, err := os.Open(file)
	if err != nil {
		return o, u, err
	}
	defer in.Close()
	o.answers, err = parseAnswers(in)
	return o, u, err
}

// parseAnswers reads the lines of bench/load: due, took, status.
func parseAnswers(in io.Reader) (as []answered, err error) {
	s := bufio.NewScanner(in)
	for s.Scan() {
		f := strings.Fields(s.Text())
		if len(f) != 3 {
			return nil, fmt.Errorf("load wrote %q", s.Text())
		}
		var a answered
		var errs [3]error
		a.due, errs[0] = strconv.ParseFloat(f[0], 64)
		a.took, errs[1] = strconv.ParseFloat(f[1], 64)
		a.status, errs[2] = strconv.Atoi(f[2])
		if err := errors.Join(errs[:]...); err != nil {
			return nil, fmt.Errorf("load wrote %q: %w", s.Text(), err)
		}
		as = append(as, a)
	}
	return as, s.Err()
}

// holdIdle opens connections that made a request and now do nothing, calls f, and closes them.
func (v *visit) holdIdle(ctx context.Context, url request, conns int, f func() error) error {
	args := onCore(loadCore, v.b.tools.Load, "idle", "-to", v.c.addr(), "-path", url.path, "-connections", strconv.Itoa(conns))
	if v.shape.clients == secured {
		args = append(args, "-name", url.host)
	}
	args = append(args, v.headers()...)
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env = append(os.Environ(), quiet...)
	var errs strings.Builder
	c.Stderr = &errs
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	var said struct{ Good int }
	if err = json.NewDecoder(out).Decode(&said); err == nil && said.Good < conns {
		err = fmt.Errorf("of %d connections %d were answered", conns, said.Good)
	}
	if err == nil {
		err = f()
	}
	in.Close()
	if e := errors.Join(err, c.Wait()); e != nil {
		return fmt.Errorf("idle connections: %w\n%s", e, errs.String())
	}
	return nil
}

// own runs a verb of bench/load and takes what it says it did.
func (v *visit) own(ctx context.Context, said any, verb string, args ...string) (usage, error) {
	args = append(append(onCore(loadCore, v.b.tools.Load, verb, "-to", v.c.addr()), args...), v.headers()...)
	return v.around(func() (time.Duration, error) {
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Env = append(os.Environ(), quiet...)
		var errs strings.Builder
		c.Stderr = &errs
		out, err := c.Output()
		if err != nil {
			return 0, fmt.Errorf("load: %w\n%s", err, errs.String())
		}
		if err := json.Unmarshal(out, said); err != nil {
			return 0, fmt.Errorf("load said %q: %w", out, err)
		}
		return c.ProcessState.UserTime() + c.ProcessState.SystemTime(), nil
	})
}

// headers are the flags of bench/load for the fields of the usual request.
func (v *visit) headers() (args []string) {
	for _, f := range v.c.fields(v.b, serviceHost) {
		args = append(args, "-H", f)
	}
	return args
}
