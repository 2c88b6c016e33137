package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
)

// object and list are JSON.
type (
	object = map[string]any
	list   = []any
)

// typed is a typed extension of Envoy's configuration.
func typed(kind string, o object) object {
	o["@type"] = "type.googleapis.com/envoy." + kind
	return o
}

// envoyFields is the access log: the fields that all contestants write.
var envoyFields = object{"requestId": "%REQ(X-REQUEST-ID)%", "startTime": "%START_TIME%", "source": "%DOWNSTREAM_REMOTE_ADDRESS%", "method": "%REQ(:METHOD)%",
	"path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "protocol": "%PROTOCOL%", "status": "%RESPONSE_CODE%", "received": "%BYTES_RECEIVED%", "sent": "%BYTES_SENT%",
	"duration": "%DURATION%", "userAgent": "%REQ(USER-AGENT)%", "host": "%REQ(:AUTHORITY)%", "target": "%UPSTREAM_HOST%", "targetDuration": "%RESPONSE_DURATION%",
	"targetGroup": "%UPSTREAM_CLUSTER%", "rule": "%ROUTE_NAME%", "channel": "%REQ(X-RELEASE-CHANNEL)%"}

// socketAddress is HOST and port as Envoy writes them.
func socketAddress(host string, port int) object {
	return object{"socket_address": object{"address": host, "port_value": port}}
}

// envoyCluster is one target group with one target, with mTLS to it when tls is given.
func envoyCluster(name, host string, port int, tls object) object {
	c := object{"name": name, "type": "STATIC", "connect_timeout": "5s",
		"circuit_breakers": object{"thresholds": list{object{"max_connections": 100000, "max_pending_requests": 100000, "max_requests": 100000}}},
		"load_assignment": object{"cluster_name": name, "endpoints": list{object{"lb_endpoints": list{
			object{"endpoint": object{"address": socketAddress(host, port)}}}}}}}
	if tls != nil {
		c["transport_socket"] = object{"name": "tls", "typed_config": typed("extensions.transport_sockets.tls.v3.UpstreamTlsContext",
			object{"sni": certificateName, "common_tls_context": tls})}
	}
	return c
}

// envoyMultiplexed makes a cluster one of HTTP/2.
func envoyMultiplexed(cluster object) object {
	cluster["typed_extension_protocol_options"] = object{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("extensions.upstreams.http.v3.HttpProtocolOptions",
		object{"explicit_http_config": object{"http2_protocol_options": object{}}})}
	return cluster
}

// envoyCarrying carries connections to the targets: those with TLS by the name in the ClientHello, or all to one target.
func envoyCarrying(host string, port int, log string, named bool) object {
	fields := object{"startTime": "%START_TIME%", "source": "%DOWNSTREAM_REMOTE_ADDRESS%", "received": "%BYTES_RECEIVED%", "sent": "%BYTES_SENT%",
		"duration": "%DURATION%", "target": "%UPSTREAM_HOST%", "targetGroup": "%UPSTREAM_CLUSTER%"}
	proxy := typed("extensions.filters.network.tcp_proxy.v3.TcpProxy", object{"stat_prefix": "l",
		"access_log": list{object{"name": "file", "typed_config": typed("extensions.access_loggers.file.v3.FileAccessLog", object{"path": log,
			"log_format": object{"json_format": fields}})}}})
	chain := object{"filters": list{object{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}}}
	listener := object{"name": "l", "address": socketAddress(host, port), "tcp_backlog_size": 16384, "filter_chains": list{chain}}
	if !named {
		proxy["cluster"] = "tg_0"
		return listener
	}
	fields["serverName"] = "%REQUESTED_SERVER_NAME%"
	proxy["weighted_clusters"] = object{"clusters": list{object{"name": "tg_0", "weight": 90}, object{"name": "tg_1", "weight": 10}}}
	chain["filter_chain_match"] = object{"server_names": list{passedName}}
	listener["listener_filters"] = list{object{"name": "envoy.filters.listener.tls_inspector", "typed_config": typed("extensions.filters.listener.tls_inspector.v3.TlsInspector", object{})}}
	return listener
}

// envoyListener takes HTTP/1.1, or what codec says, with TLS when tls is given. Its routes are fixed, or come from a file
// that Envoy watches.
func envoyListener(name, host string, port int, log string, routes list, routesFile string, filters list, codec string, tls object) object {
	manager := typed("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", object{
		"stat_prefix": name, "codec_type": codec, "generate_request_id": false, "use_remote_address": true, "stream_idle_timeout": "0s",
		"common_http_protocol_options": object{"idle_timeout": "3600s"},
		"access_log": list{object{"name": "file", "typed_config": typed("extensions.access_loggers.file.v3.FileAccessLog",
			object{"path": log, "log_format": object{"json_format": envoyFields}})}},
		"http_filters": append(append(list{}, filters...), object{"name": "envoy.filters.http.router", "typed_config": typed("extensions.filters.http.router.v3.Router", object{})})})
	if routesFile != "" {
		manager["rds"] = object{"route_config_name": "r", "config_source": object{"path_config_source": object{"path": routesFile}, "resource_api_version": "V3"}}
	} else {
		manager["route_config"] = object{"name": "r", "virtual_hosts": list{object{"name": "v", "domains": list{"*"}, "routes": routes}}}
	}
	chain := object{"filters": list{object{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}}}
	if tls != nil {
		chain["transport_socket"] = object{"name": "tls", "typed_config": typed("extensions.transport_sockets.tls.v3.DownstreamTlsContext", tls)}
	}
	return object{"name": name, "address": socketAddress(host, port), "tcp_backlog_size": 16384, "filter_chains": list{chain}}
}

// envoyRoutes are five header rules and fifty prefixes with the split.
func envoyRoutes() list {
	var routes list
	for i := range 5 {
		routes = append(routes, object{"name": fmt.Sprintf("h%d", i), "route": object{"cluster": "tg_1", "timeout": "60s"},
			"match": object{"prefix": "/", "headers": list{object{"name": "x-release-channel", "string_match": object{"exact": fmt.Sprintf("canary%d", i)}}}}})
	}
	for i := range 50 {
		routes = append(routes, object{"name": fmt.Sprintf("r%02d", i), "match": object{"prefix": fmt.Sprintf("/svc%05d/", i)},
			"route": object{"timeout": "60s", "weighted_clusters": object{"clusters": list{object{"name": "tg_0", "weight": 90}, object{"name": "tg_1", "weight": 10}}}}})
	}
	return routes
}

// envoyBootstrap is a whole configuration.
func envoyBootstrap(listeners, clusters list) object {
	return object{"static_resources": object{"listeners": listeners, "clusters": clusters},
		"overload_manager": object{"resource_monitors": list{object{"name": "envoy.resource_monitors.global_downstream_max_connections",
			"typed_config": typed("extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig", object{"max_active_downstream_connections": 100000})}}}}
}

// runEnvoy starts one with one worker. Each needs an id of its own for its shared memory.
func runEnvoy(b *bench, name string, id int, config object) (*process, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	file, err := b.write(name+".json", string(text))
	if err != nil {
		return nil, err
	}
	return start(program{core: proxyCore, name: b.tools.Envoy, args: []string{"-c", file, "--concurrency", "1", "--base-id", strconv.Itoa(id), "-l", "error"}})
}

// startEnvoy starts one; with routes, the routes and clusters come from files that it watches.
func startEnvoy(b *bench, c *contestant, s shape) ([]*process, error) {
	log := b.dir + "/envoy.log"
	codec, tls := "HTTP1", object(nil)
	switch s.clients {
	case multiplexed:
		codec = "HTTP2"
	case secured:
		p := b.certificates.pair["listener"]
		tls = object{"common_tls_context": object{"tls_params": object{"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
			"tls_certificates": list{object{"certificate_chain": object{"inline_string": p[0]}, "private_key": object{"inline_string": p[1]}}}}}
	}
	clusters := envoyClusters()
	if s.targets == multiplexed {
		for _, c := range clusters {
			envoyMultiplexed(c.(object))
		}
	}
	listener := envoyListener("l", proxyIP, c.port, log, envoyRoutes(), "", nil, codec, tls)
	if s.clients == passed || s.clients == carried {
		listener = envoyCarrying(proxyIP, c.port, log, s.clients == passed)
	}
	config := envoyBootstrap(list{listener}, clusters)
	if s.routes > 0 {
		if err := writeEnvoy(b, s.routes, true, false); err != nil {
			return nil, err
		}
		config = envoyBootstrap(list{envoyListener("l", proxyIP, c.port, log, nil, b.dir+"/envoy-rds.json", nil, codec, nil)}, nil)
		config["node"] = object{"id": "n", "cluster": "c"}
		config["dynamic_resources"] = object{"cds_config": object{"path_config_source": object{"path": b.dir + "/envoy-cds.json"}, "resource_api_version": "V3"}}
	}
	p, err := runEnvoy(b, "envoy", 1, config)
	return one(p), err
}

// envoyClusters are the two target groups.
func envoyClusters() list {
	return list{envoyCluster("tg_0", targetIP, targetPorts[0], nil), envoyCluster("tg_1", targetIP, targetPorts[1], nil)}
}

// writeEnvoy writes the files of n routes, and of their clusters when asked to.
func writeEnvoy(b *bench, n int, clusters, extra bool) error {
	var routes, groups list
	if extra {
		routes = append(routes, object{"match": object{"prefix": "/new/"}, "route": object{"cluster": "u00000"}})
	}
	for i := range n {
		name := fmt.Sprintf("u%05d", i)
		routes = append(routes, object{"match": object{"prefix": fmt.Sprintf("/svc%05d/", i)}, "route": object{"cluster": name}})
		if clusters {
			groups = append(groups, typed("config.cluster.v3.Cluster", envoyCluster(name, targetIP, targetPorts[i%2], nil)))
		}
	}
	files := map[string]list{"envoy-rds.json": {typed("config.route.v3.RouteConfiguration", object{"name": "r",
		"virtual_hosts": list{object{"name": "v", "domains": list{"*"}, "routes": routes}}})}}
	if clusters {
		files["envoy-cds.json"] = groups
	}
	for name, resources := range files {
		text, err := json.Marshal(object{"resources": resources})
		if err != nil {
			return err
		}
		if extra {
			name += ".new"
		}
		if _, err := b.write(name, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// routeEnvoy is how Envoy takes a rule: a file of routes that takes the place of the one it watches.
func routeEnvoy(b *bench, _ *contestant, s shape, _ []*process) (func() error, error) {
	if err := writeEnvoy(b, s.routes, false, true); err != nil {
		return nil, err
	}
	return func() error { return os.Rename(b.dir+"/envoy-rds.json.new", b.dir+"/envoy-rds.json") }, nil
}

// startEnvoyAuth starts one that verifies a token (RS256, which costs it less than ES256) and then asks twenty
// policies of its RBAC filter.
func startEnvoyAuth(b *bench, c *contestant, _ shape) ([]*process, error) {
	policies := object{}
	for i := 10; i < 30; i++ {
		policies[fmt.Sprintf("p%d", i)] = object{
			"permissions": list{object{"and_rules": object{"rules": list{
				object{"url_path": object{"path": object{"prefix": fmt.Sprintf("/svc%05d/", i)}}},
				object{"header": object{"name": ":method", "string_match": object{"exact": "GET"}}}}}}},
			"principals": list{object{"metadata": object{"filter": "envoy.filters.http.jwt_authn", "path": list{object{"key": "jwt"}, object{"key": "sub"}},
				"value": object{"string_match": object{"exact": tokenSubject}}}}}}
	}
	filters := list{
		object{"name": "envoy.filters.http.jwt_authn", "typed_config": typed("extensions.filters.http.jwt_authn.v3.JwtAuthentication", object{
			"providers": object{"p": object{"issuer": tokenIssuer, "local_jwks": object{"inline_string": b.token.keys}, "payload_in_metadata": "jwt", "forward": true}},
			"rules":     list{object{"match": object{"prefix": "/"}, "requires": object{"provider_name": "p"}}}})},
		object{"name": "envoy.filters.http.rbac", "typed_config": typed("extensions.filters.http.rbac.v3.RBAC",
			object{"rules": object{"action": "ALLOW", "policies": policies}})}}
	p, err := runEnvoy(b, "envoy-auth", 2, envoyBootstrap(list{envoyListener("l", proxyIP, c.port, b.dir+"/envoy.log", envoyRoutes(), "", filters, "HTTP1", nil)}, envoyClusters()))
	return one(p), err
}

// startEnvoys starts the two sidecars of a mesh: the caller's routes, splits and speaks mTLS to the application's,
// which speaks plainly to the target.
func startEnvoys(b *bench, c *contestant, _ shape) ([]*process, error) {
	client, server := b.certificates.context("client"), b.certificates.context("server")
	out := envoyBootstrap(list{envoyListener("out", proxyIP, c.port, b.dir+"/envoy.log", envoyRoutes(), "", nil, "HTTP1", nil)},
		list{envoyCluster("tg_0", proxyIP, c.port+1, client), envoyCluster("tg_1", proxyIP, c.port+2, client)})
	var listeners list
	for i, name := range []string{"tg_0", "tg_1"} {
		route := list{object{"name": "in", "match": object{"prefix": "/"}, "route": object{"cluster": name, "timeout": "60s"}}}
		listeners = append(listeners, envoyListener(name, proxyIP, c.port+1+i, b.dir+"/envoy-in.log", route, "", nil, "HTTP1", object{"common_tls_context": server, "require_client_certificate": true}))
	}
	second, err := runEnvoy(b, "envoy-in", 3, envoyBootstrap(listeners, envoyClusters()))
	if err != nil {
		return nil, err
	}
	first, err := runEnvoy(b, "envoy-out", 4, out)
	if err != nil {
		return one(second), err
	}
	return []*process{first, second}, nil
}
