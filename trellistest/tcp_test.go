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
	tr := Start(t, func(c *daemon.Config) {
		c.DNSForward = []string{nameServer(t, map[string][]string{"db.corp.example": {"10.0.12.99", "10.0.12.31"}})}
	})
	data := makeData(t, tr, "", 5432, "10.0.12.31")
	postgres(t, tr, data.instances[0])
	clients := makePlace(t, tr, "", "10.0.0.0/16", "10.0.12.0/24", 5432, "10.0.12.31/32", "", "10.0.12.31", "10.0.12.32")
	network := tr.Call(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": "data"})["id"].(string)
	byAddress := configure(t, tr, "", map[string]any{"name": "by-address", "resourceGatewayIdentifier": data.gateway, "portRanges": []any{"5432"}, "protocol": "TCP",
		"allowAssociationToShareableServiceNetwork": true, "resourceConfigurationDefinition": map[string]any{"ipResource": map[string]any{"ipAddress": "10.0.12.31"}}})
	_, name := offer(t, tr, "", network, byAddress, false)
	reach(t, tr, "", network, clients, nil)
	psql := func(client, host string) string {
		t.Helper()
		return strings.TrimSpace(tr.Inside(t, client, "sh", "-c", `PGCONNECT_TIMEOUT=2 psql -h "$0" -U postgres -Atc 'select inet_client_addr() is not null' 2>&1 || true`, host))
	}
	if got := psql(clients.instances[0], name); got != "t" {
		t.Errorf("by the generated name: %s", got)
	}
	if got := psql(clients.instances[1], name); !strings.Contains(got, "timeout expired") {
		t.Errorf("a client that the association's security group does not allow: %s", got)
	}
}
