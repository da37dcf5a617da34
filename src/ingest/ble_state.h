/* The life of a device that is connected to: a table of what each event leads to in each state. Pure. */
#pragma once

#include "base/macro.h"

typedef enum BleState {
        BLE_ABSENT,  /* BlueZ has no object for it */
        BLE_WAITING, /* for its turn, or until it may be tried again */
        BLE_CONNECTING,
        BLE_RESOLVING,     /* connected; BlueZ asks for its services */
        BLE_READING_CLOCK, /* before anything that carries a time */
        BLE_SUBSCRIBING,
        BLE_STREAMING,
        BLE_LEAVING, /* disconnecting */
        BLE_BARRED,  /* it wants a bond that it hasn't: an operator's turn */
        BLE_STATE_COUNT,
} BleState;

typedef enum BleEvent {
        BLE_APPEARED, /* its object */
        BLE_VANISHED,
        BLE_CHOSEN,    /* it is its turn to connect */
        BLE_ANSWERED,  /* the call that the state is about succeeded */
        BLE_FAILED,    /* it failed */
        BLE_TIMED_OUT, /* the state has lasted too long */
        BLE_RESOLVED,
        BLE_LOST,    /* the link */
        BLE_CHANGED, /* its services, or its subscriptions are to be made anew */
        BLE_REFUSED, /* for want of a bond */
        BLE_BONDED,
        BLE_DISMISSED, /* it is to be disconnected */
        BLE_EVENT_COUNT,
} BleEvent;

/* What is done on the way into the next state. */
typedef enum BleAction {
        BLE_NOTHING,
        BLE_CONNECT,
        BLE_AWAIT_SERVICES,
        BLE_READ_CLOCK,
        BLE_SUBSCRIBE,
        BLE_STREAM,
        BLE_DISCONNECT,
        BLE_RETRY,  /* it counts as a failure: later and later */
        BLE_CANCEL, /* likewise, and the call that did not end is taken back */
        BLE_REST,   /* it was served: after the others */
        BLE_BAR,
        BLE_WELCOME,
        BLE_FORGET, /* what was known of its services */
} BleAction;

typedef struct BleMove {
        BleState next;
        BleAction action;
} BleMove;

/* NULL: the event means nothing in that state. */
const BleMove *ble_state_move(BleState state, BleEvent event);
const char *ble_state_name(BleState s); /* "waiting" */

/* Whether one of the adapter's connections is used. */
static inline int ble_state_is_linked(BleState s) {
        return s >= BLE_CONNECTING && s <= BLE_LEAVING;
}
