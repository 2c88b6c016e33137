package trellistest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/trellis-project/trellis/daemon"
	"github.com/trellis-project/trellis/vpc"
)

// nameServer answers A questions for some names, for as long as the test runs, and returns where.
func nameServer(t *testing.T, names map[string][]string) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan struct{}), make(chan error, 1)
	s := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		r := new(dns.Msg).SetReply(q)
		all, ok := names[strings.TrimSuffix(q.Question[0].Name, ".")]
		if !ok {
			r.Rcode = dns.RcodeNameError
		}
		for _, a := range all {
			if q.Question[0].Qtype == dns.TypeA {
				r.Answer = append(r.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.ParseIP(a)})
			}
		}
		w.WriteMsg(r)
	})}
	go func() { ended <- s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		s.Shutdown()
		<-ended
	})
	return pc.LocalAddr().String()
}

// postgres runs PostgreSQL, with trust for everybody, in an instance.
func postgres(t *testing.T, tr *Trellis, instance string) {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Fatal("PostgreSQL is missing: run .ci/install test")
	}
	bin := filepath.Dir(found[len(found)-1])
	who, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	dir, err := os.MkdirTemp("", "trellis-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	as := []string{"setpriv", "--reuid", who.Uid, "--regid", who.Gid, "--clear-groups", "--"}
	data := filepath.Join(dir, "data")
	initdb := append(as, filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
	cmd := exec.Command(initdb[0], initdb[1:]...)
	cmd.Dir = dir
	output(t, cmd)
	hba, err := os.OpenFile(filepath.Join(data, "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hba.WriteString("host all all 0.0.0.0/0 trust\n"); err != nil {
		t.Fatal(err)
	}
	hba.Close()
	tr.Run(t, instance, append(as, filepath.Join(bin, "postgres"), "-D", data, "-h", "*", "-k", dir, "-c", "fsync=off")...)
	tr.Inside(t, instance, "sh", "-c", `until psql -h 127.0.0.1 -U postgres -c 'select 1' >/dev/null 2>&1; do sleep 0.1; done`)
}

// dataPlace is a VPC with databases, and the gateway by which others reach them.
type dataPlace struct {
	place
	gateway, gatewayGroup string
}

// makeData makes one whose instances let in what the gateway's security group sends to a port.
func makeData(t *testing.T, tr *Trellis, account string, port int, addrs ...string) dataPlace {
	t.Helper()
	d := dataPlace{place: makePlace(t, tr, account, "10.0.0.0/16", "10.0.12.0/24", 1, "10.0.0.0/16", "", addrs...)}
	d.gatewayGroup = tr.Call(t, account, "ec2", "CreateSecurityGroup", map[string]any{"VpcId": d.vpc, "GroupName": "gateway", "Description": "gateway"})["GroupId"].(string)
	tr.Call(t, account, "ec2", "AuthorizeSecurityGroupIngress", map[string]any{"GroupId": d.group, "IpPermissions": []any{map[string]any{"IpProtocol": "tcp",
		"FromPort": port, "ToPort": port, "UserIdGroupPairs": []any{map[string]any{"GroupId": d.gatewayGroup}}}}})
	d.gateway = tr.Call(t, account, "vpc-lattice", "CreateResourceGateway", map[string]any{"name": "data", "vpcIdentifier": d.vpc, "subnetIds": []any{d.subnet},
		"securityGroupIds": []any{d.gatewayGroup}, "resourceConfigDnsResolution": "PUBLIC"})["id"].(string)
	tr.Await(t, account, "vpc-lattice", "GetResourceGateway", map[string]any{"resourceGatewayIdentifier": d.gateway}, "status", "ACTIVE")
	return d
}

// configure makes a resource configuration.
func configure(t *testing.T, tr *Trellis, account string, in map[string]any) (id string) {
	t.Helper()
	if in["type"] == nil {
		in["type"] = "SINGLE"
	}
	id = tr.Call(t, account, "vpc-lattice", "CreateResourceConfiguration", in)["id"].(string)
	tr.Await(t, account, "vpc-lattice", "GetResourceConfiguration", map[string]any{"resourceConfigurationIdentifier": id}, "status", "ACTIVE")
	return id
}

// offer associates a resource configuration with a network, and returns the association and its generated name.
func offer(t *testing.T, tr *Trellis, account, network, configuration string, private bool) (id, name string) {
	t.Helper()
	id = tr.Call(t, account, "vpc-lattice", "CreateServiceNetworkResourceAssociation", map[string]any{"serviceNetworkIdentifier": network,
		"resourceConfigurationIdentifier": configuration, "privateDnsEnabled": private})["id"].(string)
	in := map[string]any{"serviceNetworkResourceAssociationIdentifier": id}
	tr.Await(t, account, "vpc-lattice", "GetServiceNetworkResourceAssociation", in, "status", "ACTIVE")
	entry, _ := tr.Call(t, account, "vpc-lattice", "GetServiceNetworkResourceAssociation", in)["dnsEntry"].(map[string]any)
	name, _ = entry["domainName"].(string)
	return id, name
}

// reach associates a VPC with a network.
func reach(t *testing.T, tr *Trellis, account, network string, p place, more map[string]any) (association string) {
	t.Helper()
	in := map[string]any{"serviceNetworkIdentifier": network, "vpcIdentifier": p.vpc, "securityGroupIds": []any{p.group}}
	for k, v := range more {
		in[k] = v
	}
	association = tr.Call(t, account, "vpc-lattice", "CreateServiceNetworkVpcAssociation", in)["id"].(string)
	tr.Await(t, account, "vpc-lattice", "GetServiceNetworkVpcAssociation", map[string]any{"serviceNetworkVpcAssociationIdentifier": association}, "status", "ACTIVE")
	return association
}

// TestPostgreSQL reaches a database from a VPC with the same CIDR, in which the client even has the database's address.
func TestPostgreSQL(t *testing.T) {
	thorough(t)
	t.Parallel()
	tr := Start(t, func(c *daemon.Config) {
		c.DNSForward = []string{nameServer(t, map[string][]string{"db.corp.example": {"10.0.12.31"}, "twice.corp.example": {"10.0.12.99", "10.0.12.31"}})}
	})
	data := makeData(t, tr, "", 5432, "10.0.12.31")
	postgres(t, tr, data.instances[0])
	clients := makePlace(t, tr, "", "10.0.0.0/16", "10.0.12.0/24", 5432, "10.0.12.31/32", "", "10.0.12.31", "10.0.12.32")
	network := tr.Call(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": "data", "sharingConfig": map[string]any{"enabled": false}})["id"].(string)
	reach(t, tr, "", network, clients, map[string]any{"privateDnsEnabled": true, "dnsOptions": map[string]any{"privateDnsPreference": "ALL_DOMAINS"}})
	single := func(name string, definition, more map[string]any) (generated string) {
		t.Helper()
		in := map[string]any{"name": name, "resourceGatewayIdentifier": data.gateway, "portRanges": []any{"5432"}, "resourceConfigurationDefinition": definition}
		for k, v := range more {
			in[k] = v
		}
		_, generated = offer(t, tr, "", network, configure(t, tr, "", in), true)
		return generated
	}
	at := map[string]any{"ipResource": map[string]any{"ipAddress": "10.0.12.31"}}
	named := func(name string) map[string]any {
		return map[string]any{"dnsResource": map[string]any{"domainName": name, "ipAddressType": "IPV4"}}
	}
	byAddress := single("by-address", at, map[string]any{"customDomainName": "db.internal"})
	byName := single("by-name", named("db.corp.example"), nil)
	bySecond := single("by-second", named("twice.corp.example"), nil)

	group := configure(t, tr, "", map[string]any{"name": "group", "type": "GROUP", "resourceGatewayIdentifier": data.gateway, "groupDomain": "group.internal"})
	offer(t, tr, "", network, group, true)
	for name, port := range map[string]string{"first": "5432", "second": "5433"} {
		child := configure(t, tr, "", map[string]any{"name": name, "type": "CHILD", "resourceConfigurationGroupIdentifier": group, "portRanges": []any{port},
			"customDomainName": name + ".group.internal", "resourceConfigurationDefinition": at})
		tr.Await(t, "", "vpc-lattice", "ListServiceNetworkResourceAssociations", map[string]any{"resourceConfigurationIdentifier": child}, "items[0].status", "ACTIVE")
	}

	psql := func(client, host, want string) {
		t.Helper()
		got := tr.Inside(t, client, "sh", "-c", `PGCONNECT_TIMEOUT=$1 psql -h "$0" -U postgres -Atc 'select inet_client_addr()' 2>&1 || true`, host, map[bool]string{true: "2", false: "20"}[want == "timeout expired"])
		if !strings.Contains(got, want) {
			t.Errorf("psql -h %s: %s, want %s", host, strings.TrimSpace(got), want)
		}
	}
	gateway := tr.Call(t, "", "ec2", "DescribeNetworkInterfaces", map[string]any{"Filters": []any{map[string]any{"Name": "group-id", "Values": []any{data.gatewayGroup}}}})
	source := gateway["NetworkInterfaces"].([]any)[0].(map[string]any)["PrivateIpAddress"].(string)
	client, other := clients.instances[0], clients.instances[1]
	psql(client, byAddress, source)
	psql(client, byName, source)
	psql(client, bySecond, source) // nobody is at the first of its addresses
	psql(client, "db.internal", source)
	psql(client, "first.group.internal", source)
	psql(client, "second.group.internal", "timeout expired")
	psql(other, byAddress, "timeout expired") // the association's security group does not allow it

	tr.Call(t, "", "ec2", "RevokeSecurityGroupEgress", map[string]any{"GroupId": data.gatewayGroup, "IpPermissions": []any{map[string]any{"IpProtocol": "-1",
		"IpRanges": []any{map[string]any{"CidrIp": "0.0.0.0/0"}}}}})
	psql(client, byAddress, "timeout expired") // the gateway's lets nothing out
}

// talker is a client in an instance that keeps a connection. say sends a line over it, and returns what comes back, or how the
// connection has ended.
func talker(t *testing.T, instance, host string, port int) (say func(string) string) {
	t.Helper()
	cmd := exec.Command("python3", "testdata/tcp_client.py", host, strconv.Itoa(port), "stay")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := vpc.Start(instance, cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "connected" {
		t.Fatalf("%s:%d: %s", host, port, lines.Text())
	}
	return func(line string) string {
		fmt.Fprintln(in, line)
		lines.Scan()
		return lines.Text()
	}
}

// TestTCP carries connections of all kinds to a resource, by an association and by both types of VPC endpoint, and looks for
// their rows; others can't reach it; and it deletes what leads there.
func TestTCP(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	data := makeData(t, tr, "", 7000, "10.0.12.31")
	tr.Run(t, data.instances[0], "python3", "testdata/tcp_echo.py", "7000")
	clients := makePlace(t, tr, "", "10.0.0.0/16", "10.0.12.0/24", 7000, "10.0.12.0/24", "", "10.0.12.31")
	elsewhere := makePlace(t, tr, "", "10.0.0.0/16", "10.0.12.0/24", 7000, "10.0.12.0/24", "", "10.0.12.31")
	client, stranger := clients.instances[0], elsewhere.instances[0]
	made := tr.Call(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": "data", "sharingConfig": map[string]any{"enabled": false}})
	network, networkARN := made["id"].(string), made["arn"].(string)
	configuration := configure(t, tr, "", map[string]any{"name": "echo", "resourceGatewayIdentifier": data.gateway, "portRanges": []any{"7000", "7001"},
		"resourceConfigurationDefinition": map[string]any{"ipResource": map[string]any{"ipAddress": "10.0.12.31"}}})
	for group, of := range map[string]map[string]any{"network": {"resourceIdentifier": network, "serviceNetworkLogType": "RESOURCE"}, "configuration": {"resourceIdentifier": configuration}} {
		tr.Call(t, "", "logs", "CreateLogGroup", map[string]any{"logGroupName": group})
		of["destinationArn"] = "arn:aws:logs:" + tr.Region + ":111122223333:log-group:" + group
		tr.Call(t, "", "vpc-lattice", "CreateAccessLogSubscription", of)
	}
	association, name := offer(t, tr, "", network, configuration, false)
	own := reach(t, tr, "", network, clients, nil)
	run := func(instance, host, what, want string) {
		t.Helper()
		if got := strings.TrimSpace(tr.Inside(t, instance, "python3", "testdata/tcp_client.py", host, "7000", what)); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	run(client, name, "once", "ok")
	for _, group := range []string{"network", "configuration"} {
		in := map[string]any{"logGroupName": group}
		tr.Await(t, "", "logs", "FilterLogEvents", in, "length(events)", "1")
		var row map[string]string
		text := tr.Call(t, "", "logs", "FilterLogEvents", in)["events"].([]any)[0].(map[string]any)["message"].(string)
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			t.Fatal(err)
		}
		if row["serviceNetworkArn"] != networkARN || row["serviceNetworkResourceAssociationId"] != association || row["vpcEndpointId"] != "-" || row["resourceIpPort"] != "10.0.12.31:7000" ||
			!strings.HasPrefix(row["sourceIpPort"], "10.0.12.31:") || !strings.HasPrefix(row["destinationIpPort"], "129.224.") || row["gatewayIpPort"] == "-" ||
			!strings.HasSuffix(row["resourceConfigurationArn"], configuration) || !strings.HasSuffix(row["sourceVpcArn"], clients.vpc) {
			t.Errorf("the row is %s", text)
		}
	}
	run(client, name, "large", "ok")
	run(client, name, "many", "ok")
	run(stranger, name, "once", "timed out") // a VPC without an association

	// Endpoints in the other VPC: to the network, with a service in it, and to the resource itself.
	for _, port := range []int{80, 443} {
		allow(t, tr, elsewhere.group, "10.0.12.0/24", port)
	}
	service := tr.Call(t, "", "vpc-lattice", "CreateService", map[string]any{"name": "hello", "customDomainName": "hello.internal"})["id"].(string)
	for _, protocol := range []string{"HTTP", "HTTPS"} {
		tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": service, "name": strings.ToLower(protocol), "protocol": protocol,
			"defaultAction": map[string]any{"fixedResponse": map[string]any{"statusCode": 404}}})
	}
	serviceAssociation := join(t, tr, network, service)
	endpoint := func(in map[string]any) (id string) {
		t.Helper()
		in["VpcId"], in["SubnetIds"], in["SecurityGroupIds"] = elsewhere.vpc, []any{elsewhere.subnet}, []any{elsewhere.group}
		id = tr.Call(t, "", "ec2", "CreateVpcEndpoint", in)["VpcEndpoint"].(map[string]any)["VpcEndpointId"].(string)
		tr.Await(t, "", "ec2", "DescribeVpcEndpoints", map[string]any{"VpcEndpointIds": []any{id}}, "VpcEndpoints[0].State", "available")
		return id
	}
	const zone = ".4232ccc.vpc-lattice-rsc.eu-west-1.on.aws"
	ofNetwork := endpoint(map[string]any{"VpcEndpointType": "ServiceNetwork", "ServiceNetworkArn": networkARN})
	configurationARN := "arn:aws:vpc-lattice:" + tr.Region + ":111122223333:resourceconfiguration/" + configuration
	ofResource := endpoint(map[string]any{"VpcEndpointType": "Resource", "ResourceConfigurationArn": configurationARN})
	run(stranger, ofNetwork+"-"+association+"."+configuration+zone, "once", "ok")
	run(stranger, ofResource+"."+configuration+zone, "once", "ok")
	generated := ofNetwork + "-" + serviceAssociation + ".7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
	root := filepath.Join(tr.Dir, "ca.pem")
	for _, url := range []string{"http://" + generated, "https://" + generated, "http://hello.internal"} {
		if got := tr.Inside(t, stranger, "sh", "-c", `curl -s --cacert "$1" -o /dev/null --max-time 5 -w '%{http_code}' "$0" || true`, url, root); got != "404" {
			t.Errorf("curl %s: %s", url, got)
		}
	}
	tr.Await(t, "", "logs", "FilterLogEvents", map[string]any{"logGroupName": "configuration", "filterPattern": `"` + ofResource + `"`}, "length(events)", "1")

	// Another account, that nothing is shared with.
	makeAccount(t, tr, account444)
	theirs := makePlace(t, tr, account444, "10.0.0.0/16", "10.0.12.0/24", 7000, "10.0.12.0/24", "", "10.0.12.31")
	run(theirs.instances[0], name, "once", "timed out")
	for operation, in := range map[string]map[string]any{"CreateServiceNetworkVpcAssociation": {"serviceNetworkIdentifier": networkARN, "vpcIdentifier": theirs.vpc}} {
		if _, err := tr.Try(t, account444, "vpc-lattice", operation, in); err == nil {
			t.Errorf("%s by an account that nothing is shared with was allowed", operation)
		}
	}
	if _, err := tr.Try(t, account444, "ec2", "CreateVpcEndpoint", map[string]any{"VpcEndpointType": "Resource", "ResourceConfigurationArn": configurationARN,
		"VpcId": theirs.vpc, "SubnetIds": []any{theirs.subnet}}); err == nil {
		t.Error("an endpoint to a resource that is not shared was allowed")
	}

	// A connection ends with its endpoint, and goes on without its association; nothing new comes either way.
	ends := talker(t, stranger, ofResource+"."+configuration+zone, 7000)
	stays := talker(t, client, name, 7000)
	tr.Call(t, "", "ec2", "DeleteVpcEndpoints", map[string]any{"VpcEndpointIds": []any{ofResource}})
	tr.Await(t, "", "ec2", "DescribeVpcEndpoints", map[string]any{}, "length(VpcEndpoints)", "1")
	run(stranger, ofNetwork+"-"+association+"."+configuration+zone, "once", "ok")
	if got := ends("still there"); !strings.Contains(got, "reset") {
		t.Errorf("a connection through an endpoint that was deleted: %q", got)
	}
	tr.Call(t, "", "vpc-lattice", "DeleteServiceNetworkVpcAssociation", map[string]any{"serviceNetworkVpcAssociationIdentifier": own})
	tr.Await(t, "", "vpc-lattice", "ListServiceNetworkVpcAssociations", map[string]any{"serviceNetworkIdentifier": network}, "length(items)", "0")
	run(client, name, "once", "timed out")
	if got := stays("still there"); got != "still there" {
		t.Errorf("a connection through an association that was deleted: %q", got)
	}
}

// TestTCPAcrossAccounts shares a group with another account, which reaches its children by an endpoint and their private names,
// and the owner ends that.
func TestTCPAcrossAccounts(t *testing.T) {
	thorough(t)
	t.Parallel()
	tr := Start(t)
	makeAccount(t, tr, account444)
	tr.Call(t, "", "ram", "EnableSharingWithAwsOrganization", nil)
	data := makeData(t, tr, "", 7000, "10.0.12.31", "10.0.12.32")
	group := tr.Call(t, "", "vpc-lattice", "CreateResourceConfiguration", map[string]any{"name": "group", "type": "GROUP", "resourceGatewayIdentifier": data.gateway, "groupDomain": "group.internal"})
	for i, name := range []string{"first", "second"} {
		tr.Run(t, data.instances[i], "python3", "testdata/tcp_echo.py", "7000")
		configure(t, tr, "", map[string]any{"name": name, "type": "CHILD", "resourceConfigurationGroupIdentifier": group["id"], "portRanges": []any{"7000"},
			"customDomainName": name + ".group.internal", "resourceConfigurationDefinition": map[string]any{"ipResource": map[string]any{"ipAddress": fmt.Sprintf("10.0.12.%d", 31+i)}}})
	}
	tr.Call(t, "", "ram", "CreateResourceShare", map[string]any{"name": "group", "resourceArns": []any{group["arn"]}, "principals": []any{account444}})
	theirs := makePlace(t, tr, account444, "10.0.0.0/16", "10.0.12.0/24", 7000, "10.0.12.0/24", "", "10.0.12.31")
	endpoint := tr.Call(t, account444, "ec2", "CreateVpcEndpoint", map[string]any{"VpcEndpointType": "Resource", "ResourceConfigurationArn": group["arn"], "VpcId": theirs.vpc,
		"SubnetIds": []any{theirs.subnet}, "SecurityGroupIds": []any{theirs.group}, "PrivateDnsEnabled": true,
		"DnsOptions": map[string]any{"PrivateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "PrivateDnsSpecifiedDomains": []any{"*.group.internal"}}})["VpcEndpoint"].(map[string]any)["VpcEndpointId"].(string)
	tr.Await(t, account444, "ec2", "DescribeVpcEndpoints", map[string]any{"VpcEndpointIds": []any{endpoint}}, "VpcEndpoints[0].State", "available")
	run := func(name, want string) {
		t.Helper()
		if got := strings.TrimSpace(tr.Inside(t, theirs.instances[0], "python3", "testdata/tcp_client.py", name, "7000", "once")); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	run("first.group.internal", "ok")
	run("second.group.internal", "ok")
	at := tr.Inside(t, theirs.instances[0], "dig", "+short", "first.group.internal", "second.group.internal")
	if distinct := strings.Fields(at); len(distinct) != 2 || distinct[0] == distinct[1] || !strings.HasPrefix(distinct[0], "10.0.12.") {
		t.Errorf("the children are at %q", distinct)
	}
	leads := tr.Call(t, account444, "ec2", "DescribeVpcEndpointAssociations", map[string]any{"VpcEndpointIds": []any{endpoint}})["VpcEndpointAssociations"].([]any)
	for _, l := range leads {
		run(l.(map[string]any)["DnsEntry"].(map[string]any)["DnsName"].(string), "ok")
	}
	association := tr.Call(t, "", "vpc-lattice", "ListResourceEndpointAssociations", map[string]any{"resourceConfigurationIdentifier": group["id"]})["items"].([]any)[0].(map[string]any)["id"]
	tr.Call(t, "", "vpc-lattice", "DeleteResourceEndpointAssociation", map[string]any{"resourceEndpointAssociationIdentifier": association})
	run(strings.Fields(at)[0], "timed out")
}

// TestTCPUpgrade starts Trellis anew, in order and after a kill: connections that do nothing keep nobody waiting, those that come
// meanwhile are carried by the next process, and nothing has to be made anew.
func TestTCPUpgrade(t *testing.T) {
	thorough(t)
	t.Parallel()
	const drain = time.Minute
	m := newServiceManager(t)
	supervised := true
	p := StartProcess(t, func(cmd *exec.Cmd) {
		if cmd.Args = append(cmd.Args, "--drain-timeout", drain.String()); supervised {
			cmd.Args = append(cmd.Args, "--keep-vpcs")
			m.hand(cmd)
		}
	})
	tr := &p.Trellis
	data := makeData(t, tr, "", 7000, "10.0.12.31")
	tr.Run(t, data.instances[0], "python3", "testdata/tcp_echo.py", "7000")
	clients := makePlace(t, tr, "", "10.0.0.0/16", "10.0.12.0/24", 7000, "10.0.12.0/24", "", "10.0.12.31")
	network := tr.Call(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": "data", "sharingConfig": map[string]any{"enabled": false}})["id"].(string)
	configuration := configure(t, tr, "", map[string]any{"name": "echo", "resourceGatewayIdentifier": data.gateway, "portRanges": []any{"7000"},
		"resourceConfigurationDefinition": map[string]any{"ipResource": map[string]any{"ipAddress": "10.0.12.31"}}})
	_, name := offer(t, tr, "", network, configuration, false)
	before := m.settled(t)
	reach(t, tr, "", network, clients, nil)
	if now := m.settled(t); now != before+2 { // IPv4 and IPv6
		t.Errorf("the service manager keeps %d sockets when a VPC reaches a resource, want %d", now, before+2)
	}
	once := func() string {
		return strings.TrimSpace(tr.Inside(t, clients.instances[0], "python3", "testdata/tcp_client.py", name, "7000", "once"))
	}
	if got := once(); got != "ok" {
		t.Fatal(got)
	}
	address := strings.Fields(tr.Inside(t, clients.instances[0], "dig", "+short", name))[0]
	stays := talker(t, clients.instances[0], name, 7000)
	if took := p.Terminate(t); took > drain/2 {
		t.Errorf("a connection that does nothing kept the process for %v", took)
	}
	if got := stays("still there"); got != "ended" {
		t.Errorf("the connection after its process: %q, want its end", got)
	}
	between := exec.Command("python3", "testdata/tcp_client.py", address, "7000", "once")
	var out bytes.Buffer
	between.Stdout, between.Stderr = &out, &out
	if err := vpc.Start(clients.instances[0], between); err != nil {
		t.Fatal(err)
	}
	p.Restart(t)
	if err := between.Wait(); err != nil || out.String() != "ok\n" {
		t.Errorf("a connection while no process ran: %v, %s", err, out.String())
	}
	p.Kill()
	p.Restart(t)
	if got := once(); got != "ok" {
		t.Errorf("after a kill: %s", got)
	}
	p.Terminate(t)
	m.drop()
	supervised = false
	p.Restart(t) // and removes what was kept when it ends
}
