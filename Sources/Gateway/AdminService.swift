import Admission

struct AdminService { func answer(_ e: Exchange, _ c: ClientConnection) {} }
