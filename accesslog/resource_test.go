package accesslog

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// configurationARN is the resource configuration of the tests.
const configurationARN = "arn:aws:vpc-lattice:eu-west-1:111122223333:resourceconfiguration/rcfg-0aaaaaaaaaaaaaaaa"

func TestResourceRecord(t *testing.T) {
	r := &ResourceRecord{Time: time.Date(2024, 12, 2, 10, 10, 10, 123e6, time.UTC), ServiceNetworkARN: networkARN, AssociationID: "snra-1a2b3c4d",
		SourceVPCARN: "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-1", ResourceConfigurationARN: configurationARN,
		Source: netip.MustParseAddrPort("172.31.23.56:44076"), Destination: netip.MustParseAddrPort("[fd00:ec2:80::81e0:1]:80"), Gateway: netip.MustParseAddrPort("10.0.28.57:49288")}
	const want = `{"eventTimestamp":"2024-12-02T10:10:10.123Z","serviceNetworkArn":"` + networkARN + `","serviceNetworkResourceAssociationId":"snra-1a2b3c4d",` +
		`"vpcEndpointId":"-","sourceVpcArn":"arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-1","resourceConfigurationArn":"` + configurationARN + `","protocol":"tcp",` +
		`"sourceIpPort":"172.31.23.56:44076","destinationIpPort":"[fd00:ec2:80::81e0:1]:80","gatewayIpPort":"10.0.28.57:49288","resourceIpPort":"-"}`
	if got := string(r.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestResourceSubscriptions gives rows of requests and of connections to resources to those who asked for them.
func TestResourceSubscriptions(t *testing.T) {
	st := trellis.NewState()
	for id, s := range map[string]*trellis.AccessLogSubscription{
		"services":      {Resource: trellis.Ref{Account: account, ID: "sn-0aaaaaaaaaaaaaaaa"}, LogType: "SERVICE"},
		"resources":     {Resource: trellis.Ref{Account: account, ID: "sn-0aaaaaaaaaaaaaaaa"}, LogType: "RESOURCE"},
		"configuration": {Resource: trellis.Ref{Account: account, ID: "rcfg-0aaaaaaaaaaaaaaaa"}},
	} {
		s.Meta, s.DestinationARN = trellis.Meta{Account: account, ID: id}, trellis.LogGroupARN("eu-west-1", account, id)
		st.Put(s)
	}
	var mu sync.Mutex
	got := map[string]int{}
	l := New(Options{Region: "eu-west-1", Deliver: func(_ context.Context, to string, rows []Row) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range rows {
			kind := "service"
			if strings.Contains(string(r.JSON), `"protocol":"tcp"`) {
				kind = "resource"
			}
			_, name, _ := trellis.ParseLogGroupARN(to)
			got[name+" "+kind]++
		}
		return nil
	}})
	l.Apply(st)
	l.Emit(0, denied())
	l.EmitResource(0, &ResourceRecord{ServiceNetworkARN: networkARN, ResourceConfigurationARN: configurationARN})
	l.EmitResource(0, &ResourceRecord{ResourceConfigurationARN: configurationARN}) // at an endpoint of type Resource
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.Run(ctx)
	if len(got) != 3 || got["services service"] != 1 || got["resources resource"] != 1 || got["configuration resource"] != 2 {
		t.Errorf("rows: %v", got)
	}
}
