// Package client talks to the Convilyn API: files and conversions.
//
// Models are data under the names of the SDK's documentation; behaviour is on the services, Client.Files and
// Client.Convert. Decoding accepts today's wire and the older documented shapes. Errors are typed, and neither
// they nor any model prints a key or the query of a presigned URL.
package client
