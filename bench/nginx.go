package main

import (
	"fmt"
	"strings"
	"syscall"
)

// nginxLog is the access log: the fields that all contestants write.
const nginxLog = `log_format j escape=json '{"requestId":"$http_x_request_id","startTime":"$time_iso8601","source":"$remote_addr:$remote_port","method":"$request_method",` +
	`"path":"$request_uri","protocol":"$server_protocol","status":$status,"received":$request_length,"sent":$bytes_sent,"duration":$request_time,` +
	`"userAgent":"$http_user_agent","host":"$host","target":"$upstream_addr","targetDuration":"$upstream_response_time","targetGroup":"$group","rule":"$rule","channel":"$http_x_release_channel"}';`

// nginxHead is what the configuration begins with. One worker; memory for as many connections as the rows need.
func nginxHead(dir string) string {
	return fmt.Sprintf(`user root; worker_processes 1; daemon off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.err warn;
events { worker_connections 12000; }
http {
 variables_hash_max_size 8192; map_hash_max_size 262144;
 %[2]s
 access_log %[1]s/nginx.log j buffer=64k flush=1s;
 split_clients "$request_id" $split { 90%% tg_0; * tg_1; }
 upstream tg_0 { server %[3]s; keepalive 512; keepalive_requests 100000000; }
 upstream tg_1 { server %[4]s; keepalive 512; keepalive_requests 100000000; }
 proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
 proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Forwarded-Proto $scheme;
 proxy_request_buffering off; proxy_buffering on; proxy_buffers 16 32k; proxy_max_temp_file_size 0; client_max_body_size 64m;
 proxy_temp_path %[1]s/nginx-pt; client_body_temp_path %[1]s/nginx-ct; fastcgi_temp_path %[1]s/nginx-ft; uwsgi_temp_path %[1]s/nginx-ut; scgi_temp_path %[1]s/nginx-st;
 keepalive_timeout 600s; keepalive_requests 100000000; server_tokens off; tcp_nodelay on;
`, dir, nginxLog, targets[0], targets[1])
}

// nginxConf is the configuration: fifty prefixes with the split and five header rules, or n prefixes that have an
// upstream each, and with extra a rule for /new/.
func nginxConf(dir, addr string, n int, extra bool) string {
	var b strings.Builder
	b.WriteString(nginxHead(dir))
	b.WriteString(" map $http_x_release_channel $group { default $split;")
	for i := range 5 {
		fmt.Fprintf(&b, " canary%d tg_1;", i)
	}
	b.WriteString(" }\n")
	for i := range n {
		fmt.Fprintf(&b, " upstream u%05d { server %s; keepalive 16; keepalive_requests 100000000; }\n", i, targets[i%2])
	}
	fmt.Fprintf(&b, " server { listen %s backlog=16384; server_name _; set $rule none;\n", addr)
	if n == 0 {
		for i := range 50 {
			fmt.Fprintf(&b, "  location ^~ /svc%05d/ { set $rule r%02d; proxy_pass http://$group; }\n", i, i)
		}
	}
	for i := range n {
		fmt.Fprintf(&b, "  location ^~ /svc%05d/ { proxy_pass http://u%05d; }\n", i, i)
	}
	if extra {
		b.WriteString("  location ^~ /new/ { proxy_pass http://tg_0; }\n")
	}
	b.WriteString("  location / { return 404; } } }\n")
	return b.String()
}

// startNginx starts a master with one worker.
func startNginx(b *bench, c *contestant, s shape) ([]*process, error) {
	file, err := b.write("nginx.conf", nginxConf(b.dir, c.addr(), s.routes, false))
	if err != nil {
		return nil, err
	}
	p, err := start(program{core: proxyCore, name: "nginx", args: []string{"-c", file}})
	return one(p), err
}

// reloadNginx is how nginx takes a change: new workers with the new configuration beside the old ones.
func reloadNginx(b *bench, c *contestant, s shape, ps []*process) (func() error, error) {
	if _, err := b.write("nginx.conf", nginxConf(b.dir, c.addr(), s.routes, true)); err != nil {
		return nil, err
	}
	return func() error { return ps[0].cmd.Process.Signal(syscall.SIGHUP) }, nil
}
