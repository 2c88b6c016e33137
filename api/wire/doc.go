// Package wire is the codec of AWS's protocols: restJson1, awsJson 1.0 and 1.1, awsQuery, ec2Query, restXml and
// rpcv2Cbor.
//
// It reads and writes Go structs whose tags tell names, places and constraints; api/generate writes those
// structs. A server decodes requests and encodes answers with it, a client does the opposite, from the same
// structs. Decoding a request checks every constraint and reports all bad fields at once, as AWS does.
//
// The tags of a field:
//
//	wire      its name on the wire
//	query     its name in an ec2Query request, when that is not the wire name with a capital letter
//	in        its place: uri, query, header, headers, status, payload; none is the body
//	item      the element of a list's items in XML, and in awsQuery's names
//	key,value the names of a map's entries in XML
//	attr      an attribute of its structure's element in XML
//	flat      a list or map without a wrapping element
//	time      the format of a timestamp: iso8601, rfc822, unixTimestamp
//	required, token (a client fills it with a random UUID), sensitive
//	len, range  "min:max", either may be empty; pattern; enum "A|B"
//	eachlen, eachrange, eachpattern, eachenum  of a list's items or a map's values
//	keylen, keypattern, keyenum                of a map's keys
//
// A blank field tagged union:"true" says that exactly one member is set.
package wire
