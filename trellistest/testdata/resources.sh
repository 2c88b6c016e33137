# A database behind a gateway, in a network and at endpoints, by the aws CLI.
until_is() { for _ in $(seq 300); do [ "$("${@:2}")" = "$1" ] && return; sleep 0.1; done; echo "not $1: $*" >&2; return 1; }
vpc=$(aws ec2 create-vpc --cidr-block 10.78.0.0/16 --query Vpc.VpcId --output text)
subnet=$(aws ec2 create-subnet --vpc-id "$vpc" --cidr-block 10.78.1.0/24 --query Subnet.SubnetId --output text)
network=$(aws vpc-lattice create-service-network --name data --sharing-config enabled=false --query arn --output text)
gateway=$(aws vpc-lattice create-resource-gateway --name to-data --vpc-identifier "$vpc" --subnet-ids "$subnet" --query id --output text)
until_is ACTIVE aws vpc-lattice get-resource-gateway --resource-gateway-identifier "$gateway" --query status --output text
config=$(aws vpc-lattice create-resource-configuration --name orders-db --type SINGLE --port-ranges 5432 --resource-gateway-identifier "$gateway" \
  --resource-configuration-definition 'dnsResource={domainName=db.internal,ipAddressType=IPV4}' --query arn --output text)
until_is ACTIVE aws vpc-lattice get-resource-configuration --resource-configuration-identifier "$config" --query status --output text
association=$(aws vpc-lattice create-service-network-resource-association --resource-configuration-identifier "$config" --service-network-identifier "$network" --query id --output text)
until_is ACTIVE aws vpc-lattice get-service-network-resource-association --service-network-resource-association-identifier "$association" --query status --output text
endpoint=$(aws ec2 create-vpc-endpoint --vpc-endpoint-type ServiceNetwork --vpc-id "$vpc" --subnet-ids "$subnet" --service-network-arn "$network" --query VpcEndpoint.VpcEndpointId --output text)
until_is available aws ec2 describe-vpc-endpoints --vpc-endpoint-ids "$endpoint" --query 'VpcEndpoints[0].State' --output text
aws ec2 describe-vpc-endpoint-associations --vpc-endpoint-ids "$endpoint" --query 'VpcEndpointAssociations[0].DnsEntry.DnsName' --output text | sed "s/$endpoint/ENDPOINT/; s/$association/ASSOCIATION/; s/${config##*/}/CONFIG/"
aws vpc-lattice list-service-network-resource-associations --service-network-identifier "$network" --query 'items[].resourceConfigurationName' --output text
