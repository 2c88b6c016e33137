//go:build thorough

package trellistest

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/trellis-project/trellis/daemon"
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

// TestPostgreSQL reaches a database from a VPC with the same CIDR, in which the client even has the database's address.
func TestPostgreSQL(t *testing.T) {
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
