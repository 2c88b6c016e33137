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
 grpc_set_header Host $host; grpc_set_header X-Forwarded-For $remote_addr; grpc_set_header X-Forwarded-Port $server_port; grpc_set_header X-Forwarded-Proto $scheme;
 grpc_buffer_size 32k; ssl_protocols TLSv1.2 TLSv1.3;
 proxy_temp_path %[1]s/nginx-pt; client_body_temp_path %[1]s/nginx-ct; fastcgi_temp_path %[1]s/nginx-ft; uwsgi_temp_path %[1]s/nginx-ut; scgi_temp_path %[1]s/nginx-st;
 keepalive_timeout 600s; keepalive_requests 100000000; server_tokens off; tcp_nodelay on;
`, dir, nginxLog, targets[0], targets[1])
}

// nginxPassing is the configuration of passing TLS through by the name in the ClientHello.
func nginxPassing(dir, addr string) string {
	return fmt.Sprintf(`load_module /usr/lib/nginx/modules/ngx_stream_module.so;
user root; worker_processes 1; daemon off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.err warn;
events { worker_connections 12000; }
stream {
 log_format j escape=json '{"startTime":"$time_iso8601","source":"$remote_addr:$remote_port","status":$status,"received":$bytes_received,"sent":$bytes_sent,"duration":$session_time,"serverName":"$ssl_preread_server_name","target":"$upstream_addr"}';
 access_log %[1]s/nginx.log j buffer=64k flush=1s;
 split_clients "$connection$msec" $split { 90%% tg_0; * tg_1; }
 upstream tg_0 { server %[3]s; }
 upstream tg_1 { server %[4]s; }
 upstream nobody { server 127.0.0.1:1; }
 map $ssl_preread_server_name $group { %[5]s $split; default nobody; }
 server { listen %[2]s backlog=16384; ssl_preread on; proxy_buffer_size 64k; proxy_pass $group; }
}
`, dir, addr, targets[0], targets[1], passedName)
}

// nginxCarrying is the configuration of carrying connections to a target, whatever they are about.
func nginxCarrying(dir, addr string) string {
	return fmt.Sprintf(`load_module /usr/lib/nginx/modules/ngx_stream_module.so;
user root; worker_processes 1; daemon off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.err warn;
events { worker_connections 12000; }
stream {
 log_format j escape=json '{"startTime":"$time_iso8601","source":"$remote_addr:$remote_port","status":$status,"received":$bytes_received,"sent":$bytes_sent,"duration":$session_time,"target":"$upstream_addr"}';
 access_log %[1]s/nginx.log j buffer=64k flush=1s;
 server { listen %[2]s backlog=16384; proxy_buffer_size 64k; proxy_pass %[3]s; }
}
`, dir, addr, targets[0])
}

// nginxConf is the configuration: fifty prefixes with the split and five header rules, or n prefixes that have an
// upstream each, and with extra a rule for /new/.
func nginxConf(dir, addr string, s shape, extra bool) string {
	switch s.clients {
	case passed:
		return nginxPassing(dir, addr)
	case carried:
		return nginxCarrying(dir, addr)
	}
	var b strings.Builder
	n := s.routes
	b.WriteString(nginxHead(dir))
	b.WriteString(" map $http_x_release_channel $group { default $split;")
	for i := range 5 {
		fmt.Fprintf(&b, " canary%d tg_1;", i)
	}
	b.WriteString(" }\n")
	for i := range n {
		fmt.Fprintf(&b, " upstream u%05d { server %s; keepalive 16; keepalive_requests 100000000; }\n", i, targets[i%2])
	}
	listen, pass := "", "proxy_pass http://"
	switch s.clients {
	case multiplexed:
		listen = " http2"
	case secured:
		listen = " ssl"
		fmt.Fprintf(&b, " ssl_certificate %[1]s/listener.pem; ssl_certificate_key %[1]s/listener.pem;\n", dir)
	}
	if s.targets == multiplexed {
		pass = "grpc_pass grpc://"
	}
	fmt.Fprintf(&b, " server { listen %s backlog=16384%s; server_name _; set $rule none;\n", addr, listen)
	if n == 0 {
		for i := range 50 {
			fmt.Fprintf(&b, "  location ^~ /svc%05d/ { set $rule r%02d; %s$group; }\n", i, i, pass)
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
	if s.clients == secured {
		if _, err := b.certificates.write(b); err != nil {
			return nil, err
		}
	}
	file, err := b.write("nginx.conf", nginxConf(b.dir, c.addr(), s, false))
	if err != nil {
		return nil, err
	}
	p, err := start(program{core: proxyCore, name: "nginx", args: []string{"-c", file}})
	return one(p), err
}

// reloadNginx is how nginx takes a change: new workers with the new configuration beside the old ones.
func reloadNginx(b *bench, c *contestant, s shape, ps []*process) (func() error, error) {
	if _, err := b.write("nginx.conf", nginxConf(b.dir, c.addr(), s, true)); err != nil {
		return nil, err
	}
	return func() error { return ps[0].cmd.Process.Signal(syscall.SIGHUP) }, nil
}
