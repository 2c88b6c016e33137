package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The cores of the proxy, and of the load and the target.
const (
	proxyCore = "0"
	loadCore  = "1"
)

// start starts the target, nginx and two data planes. stop ends them all.
func start(dir, plane string) (all []*contestant, stop func(), err error) {
	var running []*exec.Cmd
	stop = func() {
		for _, c := range running {
			c.Process.Signal(syscall.SIGTERM)
		}
		for _, c := range running {
			c.Wait()
		}
	}
	run := func(core, addr, name string, args ...string) (int, error) {
		c := exec.Command("taskset", append([]string{"-c", core, name}, args...)...)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			return 0, fmt.Errorf("start %s: %w", name, err)
		}
		running = append(running, c)
		return c.Process.Pid, await(addr)
	}
	target, err := writeFile(dir, "target.conf", nginxHead(dir, "target")+targetConf)
	if err != nil {
		return nil, stop, err
	}
	proxy, err := writeFile(dir, "proxy.conf", nginxHead(dir, "proxy")+proxyConf(dir))
	if err != nil {
		return nil, stop, err
	}
	if _, err := run(loadCore, targetAddr, "nginx", "-c", target); err != nil {
		return nil, stop, err
	}
	nginxPID, err := run(proxyCore, nginxAddr, "nginx", "-c", proxy)
	if err != nil {
		return nil, stop, err
	}
	pid, err := run(proxyCore, trellisAddr, plane, "-listen", trellisAddr, "-target", targetAddr, "-log", filepath.Join(dir, "trellis.log"), "-pprof", os.Getenv("BENCH_PPROF"))
	if err != nil {
		return nil, stop, err
	}
	authPID, err := run(proxyCore, authAddr, plane, "-listen", authAddr, "-target", targetAddr, "-log", filepath.Join(dir, "trellis-auth.log"), "-auth", "-pprof", os.Getenv("BENCH_PPROF_AUTH"))
	if err != nil {
		return nil, stop, err
	}
	return []*contestant{
		{name: "no proxy", addr: targetAddr},
		{name: "nginx", addr: nginxAddr, pid: nginxPID},
		{name: "Trellis", addr: trellisAddr, pid: pid},
		{name: "Trellis, SigV4+policies", addr: authAddr, pid: authPID, signed: true},
	}, stop, nil
}

// writeFile writes a file of the run's directory.
func writeFile(dir, name, text string) (string, error) {
	file := filepath.Join(dir, name)
	return file, os.WriteFile(file, []byte(text), 0o644)
}

// await waits until somebody listens.
func await(addr string) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			return c.Close()
		}
	}
	return errors.New("nobody listens on " + addr)
}

// nginxHead is what both nginx configurations begin with: one process, no daemon.
func nginxHead(dir, name string) string {
	return fmt.Sprintf("daemon off;\nmaster_process off;\nworker_processes 1;\npid %[1]s/%[2]s.pid;\nerror_log %[1]s/%[2]s.err;\nevents { worker_connections 4096; }\n", dir, name)
}

// targetConf is the target: a small answer.
var targetConf = "http { access_log off; keepalive_requests 100000000; server { listen " + targetAddr + ` backlog=4096; default_type text/plain;
 location / { return 200 "{\"order\":12345,\"ok\":true}\n"; } } }`

// proxyConf is nginx as the proxy: fifty prefixes and a JSON log of the same fields.
func proxyConf(dir string) string {
	var b strings.Builder
	b.WriteString("http { keepalive_requests 100000000; proxy_temp_path " + dir + "/pt; client_body_temp_path " + dir + "/ct; fastcgi_temp_path " + dir + "/ft; uwsgi_temp_path " + dir + "/ut; scgi_temp_path " + dir + "/st;\n")
	b.WriteString(`log_format j escape=json '{"requestId":"$request_id","startTime":"$time_iso8601","sourceIpPort":"$remote_addr:$remote_port","requestMethod":"$request_method","requestPath":"$uri","protocol":"$server_protocol","responseCode":$status,"bytesReceived":$request_length,"bytesSent":$bytes_sent,"duration":$request_time,"userAgent":"$http_user_agent","hostHeader":"$host","targetIpPort":"$upstream_addr","targetDuration":"$upstream_response_time","targetGroup":"orders"}';` + "\n")
	b.WriteString("access_log " + dir + "/nginx.log j buffer=64k flush=1s;\n")
	b.WriteString("upstream t { server " + targetAddr + "; keepalive 256; keepalive_requests 100000000; }\n")
	b.WriteString("server { listen " + nginxAddr + " backlog=4096; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host;\n")
	b.WriteString("proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Request-Id $request_id;\n")
	for i := range 50 {
		b.WriteString("location /p" + fmt.Sprintf("%02d", i) + "/ { proxy_pass http://t; }\n")
	}
	b.WriteString("location / { return 404; } } }\n")
	return b.String()
}

// cpuTime is how long the threads of a process have run.
func cpuTime(pid int) (time.Duration, error) {
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/schedstat")
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("no process %d", pid)
	}
	var sum int64
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		text, _, _ := strings.Cut(string(b), " ")
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", f, err)
		}
		sum += n
	}
	return time.Duration(sum), nil
}
