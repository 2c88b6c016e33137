package vpc

import (
	"testing"

	"github.com/trellis-project/trellis"
)

func TestVPCsWithTheSameCIDRNeverMeet(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	var instances [2]*trellis.Instance
	var vpcs [2]*trellis.VPC
	for n := range 2 {
		v, s := l.vpc("10.20.0.0/16")
		g := l.group(v, everything(true), everything(false))
		vpcs[n], instances[n] = v, l.instance(s, "10.20.0.10", g)
		if n == 1 {
			l.instance(s, "10.20.0.11", g)
		}
	}
	l.apply()
	l.serve(instances[1], "10.20.0.10:8080")
	l.dial("dial into the VPC with the server", vpcs[1], "10.20.0.10:8080", "169.254.171.1")
	l.dial("dial into the VPC without", vpcs[0], "10.20.0.10:8080", refused)
	l.dial("an address that only the other VPC has", vpcs[0], "10.20.0.11:8080", timedOut)
	for n := range 2 {
		key, ok := l.m.InstanceAt(vpcs[n].ID, instances[n].PrivateIP)
		if !ok || key != instances[n].Key() {
			t.Errorf("instance at 10.20.0.10 of VPC %d: got %q, want %q", n, key, instances[n].Key())
		}
	}
	if _, ok := l.m.InstanceAt(vpcs[0].ID, l.addr("10.20.0.11")); ok {
		t.Error("the first VPC has an instance of the second")
	}
}

func TestAssociationOpensItsSlot(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	client := l.instance(s, "10.20.0.10", l.group(v, everything(true), trellis.SecurityGroupRule{Egress: true, Protocol: "-1", CIDR: everywhere6}))
	l.apply()
	l.listen(v, "169.254.171.40:80")
	l.listen(v, "[fd00:ec2:80::a9fe:ab28]:80")
	l.call("without an association", client, "169.254.171.40:80", timedOut)
	a := l.associate(v, 40)
	l.apply()
	l.call("with it", client, "169.254.171.40:80", "10.20.0.10")
	l.call("with it, IPv6", client, "[fd00:ec2:80::a9fe:ab28]:80", client.IPv6.String())
	l.call("another slot", client, "169.254.171.41:80", timedOut)
	l.call("nowhere", client, "169.254.171.254:80", timedOut)
	l.call("nowhere, IPv6", client, "[fd00:ec2:80::a9fe:abfe]:80", timedOut)
	l.st.Delete(trellis.KindVPCAssociation, a.Key())
	l.apply()
	l.call("after its end", client, "169.254.171.40:80", timedOut)
}
