package authpolicy

import (
	_ "embed" // for actions_gen.txt
	"slices"
	"strings"
	"sync"
)

// actionsText are the services of AWS and the actions of those that are served here, one service a line, written by
// api/generate.
//
//go:embed actions_gen.txt
var actionsText string

// otherServices are services of policies that have no API of their own, or another name there.
var otherServices = []string{"aws-portal", "ec2messages", "kafka-cluster", "rds-db", "s3-object-lambda", "s3express", "ssmmessages", "tag"}

// otherActions are actions that are no operation of the API (Service Authorization Reference).
var otherActions = map[string][]string{
	"iam":              {"PassRole", "UpdateCloudFrontPublicKey"},
	"logs":             {"CreateLogDelivery", "DeleteLogDelivery", "GetLogDelivery", "Link", "ListLogDeliveries", "Unmask", "UpdateLogDelivery"},
	"sts":              {"SetContext", "SetSourceIdentity", "TagSession", "TagGetFederationToken", "GetServiceBearerToken"},
	"vpc-lattice":      {"AssociateViaAWSService", "AssociateViaAWSService-EventsAndStates", "CreateServiceNetworkVpcEndpointAssociation"},
	"vpc-lattice-svcs": {"Invoke", "Connect"},
	"eks":              {"AccessKubernetesApi", "MutateViaKubernetesApi"},
}

// knownActions are the actions of each service in lower case, by the service in lower case; none when they are not known.
var knownActions = sync.OnceValue(func() map[string][]string {
	known := map[string][]string{}
	for line := range strings.Lines(actionsText) {
		words := strings.Fields(strings.ToLower(line))
		known[words[0]] = append(known[words[0]], words[1:]...)
	}
	for _, s := range otherServices {
		known[s] = nil
	}
	for s, actions := range otherActions {
		if len(known[s]) == 0 && s != "vpc-lattice-svcs" {
			continue // nothing is known of the service's own
		}
		for _, a := range actions {
			known[s] = append(known[s], strings.ToLower(a))
		}
	}
	return known
})

// knownService tells whether a service is one of AWS's. The name is in lower case.
func knownService(service string) bool {
	_, ok := knownActions()[service]
	return ok
}

// knownAction tells whether a pattern covers an action of a service, as far as its actions are known. Both are in lower
// case.
func knownAction(service, action string) bool {
	actions := knownActions()[service]
	pattern := wildcards.Replace(action)
	return len(actions) == 0 || slices.ContainsFunc(actions, func(a string) bool { return globFold(pattern, a) })
}
