// Package owtnode serves OWT's conference as one of OWT's webrtc nodes does: the
// conference's calls come in, its casts go out, and package rtc forwards the
// media.
//
//	conference (OWT, Node.js)                     client (OWT's SDK)
//	   | publish, subscribe, linkup ...              ^
//	   v                                             | media
//	Node: transport (a PeerConnection) ---------> rtc.Server
//	        session (a publication or subscription)
//	          section (a media section, by its mid)
//	            track (what OWT calls one: an encoding of a section)
//
// A transport is a session of the server. All transports of a conference's node,
// which has one room, are in one room there, so that linkups stay among them.
//
// Calls arrive one at a time and are answered at once. Only an offer takes time:
// the offers of a transport are answered one after another, and what comes of
// them is cast.
package owtnode
