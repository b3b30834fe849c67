// Package launch is the first thing that a confined program is: this very program, which lays out a root of its own, takes
// its limits upon it, and becomes the program that was asked for.
package launch
