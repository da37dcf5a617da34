/* What a request says, read from libcoap's message: its options are checked here, for libcoap hands over what it parsed and
 * nothing more. */
#pragma once

#include <coap3/coap.h>

#include "ingest/coap_answer.h"
#include "ingest/coap_block.h"

typedef enum CoapPath {
        PATH_OTHER,     /* 4.04 */
        PATH_OWN,       /* /d: the device is who it shows itself as */
        PATH_DEVICE,    /* /d/<device> */
        PATH_DISCOVERY, /* /.well-known/core */
} CoapPath;

enum { CONTENT_FORMAT_NONE = -1, TOKEN_MAX = 8 /* RFC 7252 3 */ };

/* What an answer needs of its request. */
typedef struct CoapHead {
        uint16_t mid;
        bool confirmable;
        bool multicast;       /* never answered */
        unsigned no_response; /* RFC 7967: classes that are not wanted, 1 << (class - 1) */
        size_t token_len;
        uint8_t token[TOKEN_MAX];
        uint64_t digest; /* of all but type and message id */
} CoapHead;

typedef struct CoapRequest {
        CoapHead head;
        unsigned code;
        CoapPath path;
        char device[NAME_MAX_LENGTH]; /* PATH_DEVICE */
        int content_format;           /* the option's number */
        bool has_block;               /* Block1 */
        BlockOption block;
        int64_t size1; /* -1: not said */
        Bytes payload; /* borrowed from the message */
} CoapRequest;

/* *ret is always set as far as it could be read: enough for an answer. False: it is refused as *refusal says. */
bool request_read(const coap_pdu_t *pdu, CoapRequest *ret, CoapAnswer *refusal);
