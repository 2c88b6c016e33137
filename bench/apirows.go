package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What the rows q and r make.
const (
	apiClients  = 32
	apiServices = 64     // that rules are made for
	listed      = 10_000 // services in the list that is read
)

// apiURL is where a contestant of row q answers.
func (c *contestant) apiURL() string { return "http://" + c.addr() }

// startServe starts all of Trellis on a data directory on the disk: what it acknowledges it has synced, which costs nothing on
// a tmpfs. The API has both cores, as its load has.
func startServe(b *bench, c *contestant, _ shape) ([]*process, error) {
	p, err := start(program{core: proxyCore + "," + loadCore, name: b.tools.Trellis, args: []string{"serve", "--data", b.data, "--listen", c.addr(), "--acceleration", "off", "--log-level", "error"}})
	return one(p), err
}

// startMoto starts moto's server, which keeps what it is told in memory and looks at no signature.
func startMoto(b *bench, c *contestant, _ shape) ([]*process, error) {
	if err := os.WriteFile(filepath.Join(b.data, "credentials"), []byte("[default]\naws_access_key_id = x\naws_secret_access_key = x\n"), 0o600); err != nil {
		return nil, err
	}
	p, err := start(program{core: proxyCore + "," + loadCore, name: b.tools.Moto, args: []string{"-H", proxyIP, "-p", strconv.Itoa(c.port)}})
	return one(p), err
}

// api is one contestant of row q that runs, and its load.
func (b *bench) api(ctx context.Context, c *contestant, f func(load func(args ...string) (metrics, error)) error) (err error) {
	if b.data, err = os.MkdirTemp(b.disk, "data-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.data)
	ps, err := c.start(b, c, shape{})
	defer func() { stop(ps) }()
	if err != nil {
		return err
	}
	if err := await(ctx, c.apiURL()+"/healthz", ps[0]); err != nil {
		return err
	}
	return f(func(args ...string) (metrics, error) {
		args = append([]string{"-c", proxyCore + "," + loadCore, b.tools.API, "-endpoint", c.apiURL(), "-credentials", filepath.Join(b.data, "credentials"), "-region", region,
			"-time", b.length.String()}, args...)
		cmd := exec.CommandContext(ctx, "taskset", args...)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("load: %w: %s", err, errs.String())
		}
		m := metrics{}
		return m, json.Unmarshal(out, &m)
	})
}

// await waits until a server answers anything but 503.
func await(ctx context.Context, url string, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable {
				return nil
			}
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %s", p.name, p.errs.String())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), fmt.Errorf("%s does not answer", p.name))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// measureAPI is row q: what clients of the API get.
func measureAPI(ctx context.Context, b *bench, c *contestant) (metrics, error) {
	m := metrics{}
	clients, services := strconv.Itoa(apiClients), strconv.Itoa(apiServices)
	err := b.api(ctx, c, func(load func(...string) (metrics, error)) error {
		for _, part := range []struct {
			name string
			args []string
		}{
			{"rules", []string{"-clients", clients, "-services", services, "rules"}},
			{"alone", []string{"-clients", "1", "-services", services, "rules"}},
			{"get", []string{"-clients", clients, "-services", services, "get"}},
			{"make", []string{"-clients", clients, "-services", strconv.Itoa(listed), "make"}},
			{"list", []string{"-clients", "1", "list"}},
		} {
			if part.name == "make" && c.slow {
				return nil
			}
			got, err := load(part.args...)
			if err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
			m[part.name+"_s"] = got["calls"] / got["seconds"]
			m[part.name+"_p50"], m[part.name+"_p99"] = got["p50_ms"], got["p99_ms"]
		}
		return nil
	})
	return m, err
}

// measureEstate is row r: a Trellis starts on a store of many nouns that another process has written.
func measureEstate(services, rules, targets int) func(context.Context, *bench, *contestant) (metrics, error) {
	return func(ctx context.Context, b *bench, c *contestant) (m metrics, err error) {
		if b.data, err = os.MkdirTemp(b.disk, "data-"); err != nil {
			return nil, err
		}
		defer os.RemoveAll(b.data)
		out, err := exec.CommandContext(ctx, b.tools.API, "-data", b.data, "-services", strconv.Itoa(services), "-rules", strconv.Itoa(rules), "-targets", strconv.Itoa(targets), "estate").CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("write the estate: %w: %s", err, out)
		}
		began := time.Now()
		ps, err := c.start(b, c, shape{})
		defer func() { stop(ps) }()
		if err != nil {
			return nil, err
		}
		if err := await(ctx, c.apiURL()+"/healthz", ps[0]); err != nil {
			return nil, err
		}
		took := time.Since(began).Seconds()
		mem, err := memoryOf(ps)
		return metrics{"load_s": took, "pss_mb": mem.pss / 1e6, "peak_mb": mem.peak / 1e6}, err
	}
}
