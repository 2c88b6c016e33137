package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What h2load prints.
var (
	h2loadTime  = regexp.MustCompile(`finished in ([0-9.]+)(us|ms|s|m),`)
	h2loadCount = regexp.MustCompile(`requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
)

// parseH2load reads h2load's report. Requests that were under way at the end are none of those that it counts.
func parseH2load(out string) (r loadResult, err error) {
	t, m := h2loadTime.FindStringSubmatch(out), h2loadCount.FindStringSubmatch(out)
	if t == nil || m == nil {
		return r, fmt.Errorf("h2load said %q", out)
	}
	var numbers [4]int
	for i := range numbers {
		n, e := strconv.Atoi(m[i+1])
		numbers[i], err = n, errors.Join(err, e)
	}
	seconds, e := strconv.ParseFloat(t[1], 64)
	r.requests, r.seconds, r.refused = float64(numbers[0]), seconds*wrkUnits[t[2]]/1e6, numbers[1]+numbers[2]+numbers[3]
	return r, errors.Join(err, e)
}

// h2load puts the contestant under load: on each connection as many requests at a time, each followed by the next as soon
// as it is answered. With TLS it speaks HTTP/1.1.
func (v *visit) h2load(ctx context.Context, url request, conns, streams int, length time.Duration) (loadResult, usage, error) {
	args := onCore(loadCore, "h2load", "-t1", "-c"+strconv.Itoa(conns), "-m"+strconv.Itoa(streams), "-D"+strconv.Itoa(max(int(length.Seconds()), 1)))
	for _, f := range append(v.c.fields(v.b, url.host), url.fields...) {
		if host, is := strings.CutPrefix(f, "Host: "); is && v.shape.clients == secured {
			continue // it is in the URL
		} else if is {
			f = ":authority: " + host
		}
		args = append(args, "-H", f)
	}
	if url.body != nil {
		file, err := v.b.write("body", string(url.body))
		if err != nil {
			return loadResult{}, usage{}, err
		}
		args = append(args, "-d", file)
	}
	if v.shape.clients == secured {
		args = append(args, "--npn-list=http/1.1", "--connect-to="+v.c.addr(), "https://"+url.host+url.path)
	} else {
		args = append(args, "http://"+v.c.addr()+url.path)
	}
	ctx, cancel := context.WithTimeout(ctx, length+30*time.Second) // it goes on for ever where all connections fail
	defer cancel()
	var r loadResult
	u, err := v.around(func() (time.Duration, error) {
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		out, err := c.CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("h2load: %w\n%s", err, out)
		}
		if r, err = parseH2load(string(out)); err != nil {
			return 0, err
		}
		return c.ProcessState.UserTime() + c.ProcessState.SystemTime(), nil
	})
	r.seconds = u.wall.Seconds() // h2load says how long it meant to take
	if err == nil && (r.refused > 0 || r.requests == 0) {
		err = fmt.Errorf("h2load had %.0f answers in %.1f s, and %d failures", r.requests, r.seconds, r.refused)
	}
	return r, u, err
}
