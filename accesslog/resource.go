package accesslog

import (
	"net/netip"
	"time"
)

// ResourceRecord is what is known of one connection to a TCP resource (VPC Lattice user guide,
// monitoring-access-logs). As in a Record, what is empty or not valid is written as "-".
type ResourceRecord struct {
	Time                     time.Time // eventTimestamp, when the client connected
	ServiceNetworkARN        string
	AssociationID            string // serviceNetworkResourceAssociationId
	EndpointID               string // vpcEndpointId
	SourceVPCARN             string
	ResourceConfigurationARN string
	Source                   netip.AddrPort // the client
	Destination              netip.AddrPort // where the client found the resource
	Gateway                  netip.AddrPort // not valid when no connection to the resource came about
	Resource                 netip.AddrPort // not valid when its name had no address
}

// eventLayout is how eventTimestamp is written.
const eventLayout = "2006-01-02T15:04:05.000Z"

// AppendJSON appends the record as one JSON object to b, its members in AWS's order.
func (r *ResourceRecord) AppendJSON(b []byte) []byte {
	b = append(b, `{"eventTimestamp":"`...)
	b = r.Time.UTC().AppendFormat(b, eventLayout)
	b = append(b, `",`...)
	b = plain(b, `"serviceNetworkArn":"`, r.ServiceNetworkARN)
	b = plain(b, `"serviceNetworkResourceAssociationId":"`, r.AssociationID)
	b = plain(b, `"vpcEndpointId":"`, r.EndpointID)
	b = plain(b, `"sourceVpcArn":"`, r.SourceVPCARN)
	b = plain(b, `"resourceConfigurationArn":"`, r.ResourceConfigurationARN)
	b = append(b, `"protocol":"tcp",`...)
	b = addrPort(b, `"sourceIpPort":"`, r.Source)
	b = addrPort(b, `"destinationIpPort":"`, r.Destination)
	b = addrPort(b, `"gatewayIpPort":"`, r.Gateway)
	b = addrPort(b, `"resourceIpPort":"`, r.Resource)
	b[len(b)-1] = '}' // in place of the last comma
	return b
}

// EmitResource is Emit for a connection to a TCP resource: it goes to the subscriptions of the resource configuration,
// and to those of the service network for resources.
func (l *Log) EmitResource(worker int, r *ResourceRecord) {
	subs := l.subs.Load()
	l.add(worker, subs.configurations[r.ResourceConfigurationARN], subs.networkResources[r.ServiceNetworkARN], r.Time, r)
}
